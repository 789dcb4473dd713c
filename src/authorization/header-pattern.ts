import { quoted } from '../identity/quoted.ts';
import { type TextPattern, textPattern } from './text-pattern.ts';

/** What a rule asks of one header: one of the values. */
export interface HeaderPattern {
  /** In lower case. */
  readonly key: string;
  readonly values: readonly TextPattern[];
}

/** The headers of a call, as grpc-js `Metadata` has them. */
export interface Headers {
  get(key: string): readonly (string | Buffer)[];
}

/** gRFC A43: Host, and those that are hop by hop (RFC 9110 7.6.1). */
const UNSUPPORTED: readonly string[] = [
  'host',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** What grpc-js takes off before anybody sees the headers of a call. */
const UNSEEN: readonly string[] = ['accept-encoding', 'content-type'];

/** Reads what a rule says of a header, or says what is wrong with its key. */
export function headerPattern(
  written: string,
  values: readonly string[],
): HeaderPattern | { readonly problem: string; readonly remedy: string } {
  const key = written.toLowerCase();
  if (key.startsWith(':') || key.startsWith('grpc-') || UNSUPPORTED.includes(key))
    return {
      problem: `${quoted(written)} is not supported in a policy (gRFC A43).`,
      remedy: 'Paths are matched by `paths`; pseudo-headers, Host, hop-by-hop headers and those of gRPC not at all.',
    };
  if (UNSEEN.includes(key) || key.endsWith('-bin'))
    return { problem: `${quoted(written)} cannot be seen by a policy: the rule would never match.`, remedy: '' };
  if (!/^[0-9a-z_.-]+$/.test(key))
    return { problem: `${quoted(written)} is no key of gRPC metadata.`, remedy: 'Use a-z, 0-9, "_", "-" and ".".' };
  return { key, values: values.map(value => textPattern(asOneList(value))) };
}

/**
 * Several values are one with commas between them, as A43 has it; whether a space follows a comma does not matter, since
 * Node.js puts one there where a header came twice. A header that is not there matches no value.
 */
export function matchHeader({ key, values }: HeaderPattern, headers: Headers): boolean {
  const present = headers.get(key);
  if (present.length === 0) return false;
  const value = asOneList(present.join(','));
  return values.some(pattern => pattern.matches(value));
}

function asOneList(value: string): string {
  return value.replaceAll(/, +/g, ',');
}
