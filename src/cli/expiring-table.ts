import type { Expiring, NodeStatus } from '../rpc/control-messages.ts';
import { expiryCell, levelCell, redactable } from './cells.ts';
import { renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

interface Uses {
  /** The fullest of what was told. */
  certificate: Expiring;
  /** By usage: the nodes that tell of it. */
  readonly nodes: Map<string, string[]>;
}

/** So many nodes are named; of more their number is told. */
const MAX_NAMED = 3;

/** Certificates that end before long, one line each, whoever tells of them; empty where there is none. */
export function renderExpiring(nodes: readonly NodeStatus[], { paint, now }: Pick<Terminal, 'paint' | 'now'>): string {
  const all = [...usesByFingerprint(nodes).values()];
  if (all.length === 0) return '';
  all.sort((a, b) => a.certificate.expiresAtMs - b.certificate.expiresAtMs);
  const isRedacted = nodes.some(({ addressesRedacted }) => addressesRedacted);
  const headings = ['EXPIRING', 'LEVEL', 'CERTIFICATE', 'USE', 'FINGERPRINT'];
  const rows = all.map(
    ({ certificate: { subject, identity, level, expiresAtMs, fingerprintSha256 }, nodes: byUsage }) => [
      redactable(identity === '' ? subject : identity, isRedacted),
      levelCell(level),
      expiryCell(expiresAtMs, now(), level),
      [...byUsage].map(([usage, names]) => `${usage} of ${namesText(names)}`).join('; '),
      fingerprintSha256.slice(0, 16),
    ],
  );
  return renderTable(headings, rows, paint);
}

/** Members tell each other of their own certificates without a name; the one that asked them may know it. */
function usesByFingerprint(nodes: readonly NodeStatus[]): ReadonlyMap<string, Uses> {
  const found = new Map<string, Uses>();
  for (const { nodeName, expiring } of nodes) {
    for (const certificate of expiring) {
      const uses = found.get(certificate.fingerprintSha256) ?? { certificate, nodes: new Map<string, string[]>() };
      found.set(certificate.fingerprintSha256, uses);
      if (uses.certificate.subject === '' && uses.certificate.identity === '') uses.certificate = certificate;
      uses.nodes.set(certificate.usage, [...(uses.nodes.get(certificate.usage) ?? []), nodeName]);
    }
  }
  return found;
}

function namesText(names: readonly string[]): string {
  return names.length > MAX_NAMED ? `${names.length} nodes` : names.join(', ');
}
