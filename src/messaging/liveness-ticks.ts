import { RunningClock } from './running-clock.ts';

/** Short enough for any heartbeat, and long enough to cost nothing. */
const MIN_TICK_MS = 10;
const TICKS_PER_HEARTBEAT = 4;

/** The clock by which silence is measured. It stands still until {@link startTicks}. */
export function livenessClock(heartbeatIntervalMs: number): RunningClock {
  return new RunningClock(Math.max(MIN_TICK_MS, Math.floor(heartbeatIntervalMs / TICKS_PER_HEARTBEAT)));
}

/** Keeps a clock running, and tells of each tick. Does not keep the process alive. Returns the function that stops it. */
export function startTicks(clock: RunningClock, ticked: () => void): () => void {
  const timer = setInterval(() => {
    clock.tick();
    ticked();
  }, clock.tickMs).unref();
  return () => clearInterval(timer);
}
