/** `start` as a function that answers all who ask while it runs with the one answer. */
export function oneInFlight<Answer>(start: () => Promise<Answer>): () => Promise<Answer> {
  let running: Promise<Answer> | undefined;
  return () => {
    running ??= start().finally(() => {
      running = undefined;
    });
    return running;
  };
}
