import type { TlsMode } from './node-options.ts';
import type { NetworkingSettings } from './node-settings.ts';
import type { OptionProblems } from './option-problems.ts';

const PATH = ['networking', 'tls', 'plaintextDeadline'];

/** RFC 3339 5.6, where the seconds may be left out. Without a zone a time means another moment on each machine. */
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** Undefined where there is none, or none that can be read. */
export function resolvePlaintextDeadline(
  given: Date | string | undefined,
  mode: TlsMode | undefined,
  found: OptionProblems,
): Date | undefined {
  if (given === undefined) return undefined;
  if (mode !== undefined && mode !== 'optional')
    found.add(
      PATH,
      `It ends the mode optional, and the mode is ${mode}.`,
      'Remove it, or set `networking.tls.mode` to "optional".',
    );
  const remedy = 'Write it like 2027-01-31T12:00:00Z.';
  if (typeof given === 'string' && !DATE_TIME.test(given)) {
    found.add(PATH, 'This is no date and time with its zone.', remedy);
    return undefined;
  }
  const deadline = new Date(given);
  if (!Number.isNaN(deadline.getTime())) return deadline;
  found.add(PATH, 'There is no such time.', remedy);
  return undefined;
}

/** What would keep a node from ever turning strict. */
export function judgeTurn({ bindAddress, advertised }: NetworkingSettings, found: OptionProblems): void {
  if (bindAddress.kind === 'unix')
    found.add(PATH, 'The node is bound to a unix socket, which is plaintext.', 'Remove it, or bind to host:port.');
  else if (advertised?.every(address => address.kind === 'unix' || address.scheme === 'http') === true)
    found.add(
      PATH,
      'Nothing but plaintext is advertised.',
      'Leave the scheme out of `networking.advertisedAddresses`.',
    );
}
