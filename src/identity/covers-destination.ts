import type { DestinationPattern } from './destination-pattern.ts';
import { compareParts, type NameGlob, parseNameGlob } from './name-glob.ts';

/** Stands for a run of characters that `*` stands for: it is in no host name, so that only `*` matches it. */
const ANY_RUN = '#';

/**
 * The patterns of `earlier` that together match every address that `later` matches; empty where an address is left for
 * it. What is found is always so. Not found is what would follow from the longest names or the letters of names alone.
 */
export function coveringDestinations<Pattern extends DestinationPattern>(
  earlier: readonly Pattern[],
  later: DestinationPattern,
): readonly Pattern[] {
  const whole = earlier.find(pattern => coversDestination(pattern, later));
  if (whole !== undefined) return [whole];
  const { host } = later;
  const longest = Math.max(0, ...earlier.map(labelsOf));
  if (host.kind !== 'name' || host.glob.more === undefined || host.glob.parts.length >= longest) return [];
  // One or more labels are one label, or two and more.
  const single = coveringDestinations(earlier, withGlob(later, `*.${textOf(host.glob)}`));
  const more = coveringDestinations(earlier, withGlob(later, `**.*.${textOf(host.glob)}`));
  return single.length === 0 || more.length === 0 ? [] : [...new Set([...single, ...more])];
}

/** Whether every address that `later` matches is one that `earlier` matches. */
export function coversDestination(earlier: DestinationPattern, later: DestinationPattern): boolean {
  if (earlier.port !== undefined && earlier.port !== later.port) return false;
  if (earlier.host.kind === 'any') return true;
  if (earlier.host.kind === 'ip')
    return later.host.kind === 'ip' && later.host.address.text === earlier.host.address.text;
  return later.host.kind === 'name' && coversGlob(earlier.host.glob, later.host.glob);
}

/** A glob covers another where it matches the one name that has a character of no name for each `*` of the other. */
function coversGlob(earlier: NameGlob, later: NameGlob): boolean {
  if (later.more !== undefined && earlier.more === undefined) return false;
  const labels = later.parts.map(({ text }) => text.replaceAll('*', ANY_RUN));
  return compareParts(earlier, later.more === undefined ? labels : [ANY_RUN, ...labels]) === undefined;
}

function labelsOf({ host }: DestinationPattern): number {
  return host.kind === 'name' ? host.glob.parts.length : 0;
}

function textOf({ parts }: NameGlob): string {
  return parts.map(({ text }) => text).join('.');
}

function withGlob(pattern: DestinationPattern, text: string): DestinationPattern {
  const refuse = (problem: string): never => {
    throw new TypeError(problem);
  };
  return { ...pattern, host: { kind: 'name', glob: parseNameGlob(text, '.', refuse) } };
}
