import { chooseTargets } from '../connector/dial-target.ts';
import type { Address } from '../identity/address.ts';
import type { NodeMode } from './introduction.ts';

/** Whether a dial by what is known now would be mutual TLS. */
export function wouldDialTls(mode: NodeMode, addresses: readonly Address[]): boolean {
  try {
    const [best] = chooseTargets(mode, addresses);
    return best?.scheme === 'https';
  } catch {
    return false;
  }
}
