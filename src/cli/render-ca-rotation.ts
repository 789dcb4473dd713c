import type { CaRotation, RotatedRoot } from '../dev-pki/rotate-ca.ts';
import { renderFields } from './table.ts';
import type { Terminal } from './terminal.ts';

/** What a step of replacing the development CA did, and what to ask before the next one. */
export function renderCaRotation(rotation: CaRotation, { paint }: Pick<Terminal, 'paint'>): string {
  const { changed, signing, others, dropped, issued } = rotation;
  return renderFields(
    [
      ['signing root', rootText(signing)],
      ['also trusted', others.map(rootText)],
      ['dropped', dropped.map(rootText)],
      ['renewed', issued.map(({ name }) => name).join(', ')],
      ['changed', changed ? '' : 'nothing: this was done already'],
      ['next', nextOf(rotation)],
    ],
    paint,
  );
}

function nextOf({ step, others }: CaRotation): string {
  const root = others[0]?.fingerprint.slice(0, 16) ?? '';
  switch (step) {
    case 'add':
      return `when \`selvedgectl ca status --safe-to switch --root ${root}\` says yes: --step switch`;
    case 'switch':
      return `when \`selvedgectl ca status --safe-to drop --root ${root}\` says yes: --step drop`;
    case 'drop':
      return 'done when `selvedgectl ca status` shows the signing root alone';
  }
}

function rootText({ subject, fingerprint }: RotatedRoot): string {
  return `${subject} (${fingerprint.slice(0, 16)})`;
}
