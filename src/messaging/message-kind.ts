/** Whether a text names a kind of message: 1 to 64 characters of `a-z 0-9 . _ -`. */
export function isMessageKind(text: string): boolean {
  return /^[a-z0-9._-]{1,64}$/.test(text);
}
