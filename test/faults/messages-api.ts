import type { Priority } from '../../src/exchange/request-route.ts';
import type { FabricNode } from '../../src/index.ts';

interface SendOptions {
  readonly timeoutMs: number;
  readonly priority: Priority;
}

interface IncomingMessage {
  readonly payload: Buffer;
  readonly from: string;
  readonly priority: Priority;
}

/** The messages of a node, as far as the fault tests need them. */
export interface Messages {
  handle(kind: string, handler: (message: IncomingMessage) => Promise<Uint8Array | undefined>): () => void;
  request(node: string, kind: string, payload: Uint8Array, options: SendOptions): Promise<Buffer>;
  send(node: string, kind: string, payload: Uint8Array, options: SendOptions): Promise<void>;
}

/** Undefined where the node has only calls. */
export function messagesOf(node: FabricNode): Messages | undefined {
  return (node as { readonly messages?: Messages }).messages;
}
