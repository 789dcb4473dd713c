let last = 0;

/** The number of the next inbound connection: grows by one, unique in the process, whichever listener took it. */
export function nextConnectionId(): number {
  last += 1;
  return last;
}
