import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import { echoDefinition, echoImplementation } from './echo.ts';
import { listeningLogger } from './listening-logger.ts';

/** A node with an echo service. Resolves once it has a stream to `peer`, where one is named. */
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
  if (peer !== undefined) await connected;
  return node;
}
