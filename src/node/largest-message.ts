import { MAX_FRAME_BYTES } from '../messaging/frame.ts';
import type { NodeSettings } from './node-settings.ts';

/** Most bytes of a gRPC message that a node sends or takes: what is configured, and no less than its own frames need. */
export function largestMessage({ networking }: Pick<NodeSettings, 'networking'>): number {
  return Math.max(networking.maxMessageBytes, MAX_FRAME_BYTES);
}
