import { type Command, Option } from 'commander';
import { clusterControl } from '../../rpc/control-messages.ts';
import { usageFailure } from '../command-failure.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import { EXIT } from '../exit-codes.ts';
import { findRoot } from '../find-root.ts';
import { redactionNote } from '../redaction-note.ts';
import { renderCaStatus, renderRootVerdict } from '../render-ca-status.ts';
import type { CommandContext } from '../run-program.ts';

const QUESTIONS = ['switch', 'drop'] as const;

interface CaStatusOptions {
  readonly safeTo?: (typeof QUESTIONS)[number];
  readonly root?: string;
}

/** `selvedgectl ca status` */
export function caStatusCommand(context: CommandContext): Command {
  const command = onlineCommand('status', 'for each root: who trusts it, who presents it, and what is safe to do', [
    'selvedgectl ca status --config node.toml',
    'selvedgectl ca status --safe-to switch --root 3f9a12cd',
    'selvedgectl ca status --safe-to drop --root "CN=dev development CA" && ./drop-the-old-ca',
  ])
    .addOption(new Option('--safe-to <step>', 'ask whether one step is safe').choices(QUESTIONS))
    .option('--root <root>', 'for which root: its subject, or the beginning of its SHA-256 fingerprint')
    .addHelpText(
      'after',
      `
Adding a root is always safe. Switching (to present certificates of it) is safe when every member trusts it as server and
as client; dropping (to trust it no more) when no member presents a certificate of it. A member that does not answer
stands in the way of both. Clients that are no members are not asked: see \`selvedgectl connections\`.
With --safe-to it exits 3 when it is not safe.`,
    );
  return command.action(async ({ safeTo, root: wanted }: CaStatusOptions) => {
    if ((safeTo === undefined) !== (wanted === undefined)) throw usageFailure('--safe-to and --root go together.');
    const session = sessionOf(command, context);
    const status = await session.call(clusterControl, 'GetCaStatus', {});
    if (safeTo === undefined || wanted === undefined) {
      session.print(status, () => renderCaStatus(status, context.terminal), redactionNote(status));
      return;
    }
    const root = findRoot(status.roots, wanted);
    const { subject, fingerprintSha256 } = root;
    const { safe = false, inTheWay = 0, obstacles = [] } = root[safeTo] ?? {};
    const { addressesRedacted } = status;
    const answer = { step: safeTo, safe, subject, fingerprintSha256, inTheWay, obstacles, addressesRedacted };
    session.print(answer, () => renderRootVerdict(answer, context.terminal), redactionNote(status));
    if (!safe) context.finish(EXIT.checkSaidNo);
  });
}
