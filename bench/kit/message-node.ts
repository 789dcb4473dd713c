import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { echoDefinition, echoImplementation } from './echo.ts';
import { listeningLogger } from './listening-logger.ts';

/** The kind of message that is answered with what it says, and the one that is taken and that is all. */
export const ECHO = 'echo';
export const SINK = 'sink';

/** A node with an echo service, which also answers messages. Resolves once it has a stream to `peer`, where one is named. */
export async function startEchoNode(options: FabricNodeOptions, peer?: string): Promise<FabricNode> {
  let onConnected: () => void = () => {};
  const connected = new Promise<void>(resolve => {
    onConnected = resolve;
  });
  const logger = listeningLogger((event, fields) => {
    if (event === 'peer.connected' && fields?.node === peer) onConnected();
  });
  const services = [{ definition: echoDefinition, implementation: echoImplementation }];
  const node = await FabricNode.start(options, { logger, services });
  node.messages.handle(ECHO, ({ payload }) => payload);
  node.messages.handle(SINK, () => {});
  if (peer !== undefined) await connected;
  return node;
}
