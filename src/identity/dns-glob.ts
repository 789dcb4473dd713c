import { canonicalDnsName, parseDnsName } from './dns-name.ts';
import { type NameGlob, parseNameGlob, type Refuse } from './name-glob.ts';

/** Reads a glob over DNS names, in lower case and without a trailing dot. Refuses what no DNS name could match. */
export function parseDnsGlob(text: string, refuse: Refuse): NameGlob {
  if (/[^\u0000-\u007f]/.test(text)) refuse('international DNS names are written in their "xn--" form');
  if (isAddressLike(text)) refuse('it looks like an IP address, which is not a DNS name and holds no wildcard');
  const glob = parseNameGlob(canonicalDnsName(text), '.', refuse);
  const sample = glob.parts.map(part => part.text.replaceAll('*', 'x')).join('.');
  if (parseDnsName(sample) === undefined)
    refuse('it is not a DNS name: labels of letters, digits, "-" and "_" separated by dots, the last not a number');
  return glob;
}

/** Numbers and wildcards alone, such as `10.0.0.*` or `10.0.0.256`: somebody meant addresses. */
export function isAddressLike(text: string): boolean {
  const labels = text.split('.');
  const isNumeric = labels.every(label => /^[0-9*]+$/.test(label)) && /[0-9]/.test(text);
  return isNumeric && (labels.length === 4 || text.includes('*'));
}
