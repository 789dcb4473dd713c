let last = 0;

/** The number of the next connection: grows by one, unique in the process, whoever accepted or dialled it. */
export function nextConnectionId(): number {
  last += 1;
  return last;
}
