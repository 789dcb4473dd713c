const MAX_LENGTH = 80;

/** A line of a PEM block as people paste it: long, and of the base64 alphabet with all that keys are made of. */
const BASE64_RUN = /[A-Za-z0-9+/]{32,}/g;

/**
 * A text in quotes for an error message: escaped, cut short, and not repeated at all where it may be (part of) a
 * private key that was pasted into the wrong place.
 */
export function quoted(text: string): string {
  if (mayBeKey(text)) return '"(not shown: it may be a key)"';
  return JSON.stringify(text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text);
}

/** What {@link quoted} shows, for the facts of an error. */
export function withoutKey(text: string): string {
  return mayBeKey(text) ? '(not shown: it may be a key)' : text;
}

function mayBeKey(text: string): boolean {
  if (text.includes('-----') || text.includes('PRIVATE KEY')) return true;
  return [...text.matchAll(BASE64_RUN)].some(([run]) => /[a-z]/.test(run) && /[A-Z]/.test(run) && /[0-9]/.test(run));
}
