const PREFIX = '/selvedge.message/';
const KIND = /^[a-z0-9._-]{1,64}$/;
const BEGINNING_OF_KIND = /^[a-z0-9._-]{0,64}$/;

/** Whether a text can be the kind of a message: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`. */
export function isMessageKind(text: string): boolean {
  return KIND.test(text);
}

/** The path under which policies, audit records and metrics know messages of a kind: `/selvedge.message/KIND`. */
export function messagePath(kind: string): string {
  return PREFIX + kind;
}

/** Whether a path is that of a kind of messages. */
export function isMessagePath(path: string): boolean {
  return path.startsWith(PREFIX) && KIND.test(path.slice(PREFIX.length));
}

/** Whether the path of a kind of messages can begin with this text, which names their service whole. */
export function beginsMessagePath(text: string): boolean {
  return text.startsWith(PREFIX) && BEGINNING_OF_KIND.test(text.slice(PREFIX.length));
}

/** Whether a path is of the service that stands for messages, whatever its kind looks like. */
export function isOfMessageService(path: string): boolean {
  return path.startsWith(PREFIX);
}
