import { type KeptValue, type KeptValueFormat, openKeptValue, parseVersioned } from '../lifecycle/kept-value.ts';
import type { Logger } from '../telemetry/logger.ts';

const VERSION = 1;

/** What a node remembers of its mode. Times in Unix milliseconds. */
export interface ModeState {
  /** Since when the configuration says `optional`; undefined where it does not. */
  readonly optionalSinceMs: number | undefined;
  /** The `plaintext-deadline` after which the node turned strict; undefined where it did not. */
  readonly turnedAfterMs: number | undefined;
}

export const MODE_STATE_FORMAT: KeptValueFormat<ModeState> = {
  empty: { optionalSinceMs: undefined, turnedAfterMs: undefined },
  serialize: state => `${JSON.stringify({ version: VERSION, ...state })}\n`,
  parse: text => {
    const root = parseVersioned(text, VERSION);
    if ('problem' in root) return root;
    const { optionalSinceMs, turnedAfterMs } = root.value;
    if (!isTime(optionalSinceMs) || !isTime(turnedAfterMs)) return { problem: 'holds a time that is none' };
    return { value: { optionalSinceMs, turnedAfterMs } };
  },
};

/**
 * The state in `file`. One that holds nonsense is an error in the log (`mode.state_rejected`) and forgotten: then a
 * `plaintext-deadline` that has passed is judged anew.
 */
export async function openModeState(file: string, logger: Logger): Promise<KeptValue<ModeState>> {
  const kept = await openKeptValue(file, MODE_STATE_FORMAT, problem =>
    logger.error('mode.state_not_saved', { file, problem }),
  );
  if (kept.problem !== undefined) logger.error('mode.state_rejected', { file, problem: kept.problem });
  return kept;
}

function isTime(value: unknown): value is number | undefined {
  return value === undefined || Number.isSafeInteger(value);
}
