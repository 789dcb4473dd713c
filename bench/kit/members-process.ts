// A process with many nodes of one cluster. Started by `Child`.
import { FabricNode } from '../../src/node/fabric-node.ts';
import type { FabricNodeOptions } from '../../src/node/node-options.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { answerParent } from './child.ts';
import { listeningLogger } from './listening-logger.ts';
import { type Memory, readMemory } from './memory.ts';
import type { ListedMember } from './node-files.ts';
import { cpuMicros } from './timing.ts';

export interface MembersCommands {
  /** Starts nodes, one after the other. Resolves with where each is reached. */
  start(options: readonly FabricNodeOptions[]): Promise<readonly ListedMember[]>;
  /** How many peer streams each node has open now; a stream between two nodes of this process counts at both. */
  streams(): readonly number[];
  /** CPU time so far, in microseconds. */
  cpu(): number;
  memory(): Promise<Memory>;
}

/** The peers to which a stream is open, for each node. */
const connected: Set<unknown>[] = [];

const commands: MembersCommands = {
  async start(all) {
    const started: ListedMember[] = [];
    for (const options of all) {
      const { ready } = await FabricNode.start(options, { logger: watchingLogger() });
      started.push({ name: ready.node, address: ready.fabric[0] ?? '' });
    }
    return started;
  },
  streams: () => connected.map(({ size }) => size),
  cpu: cpuMicros,
  memory: readMemory,
};

answerParent(commands);

function watchingLogger(): Logger {
  const peers = new Set<unknown>();
  connected.push(peers);
  return listeningLogger((event, fields) => {
    if (event === 'peer.connected') peers.add(fields?.node);
    if (event === 'peer.disconnected') peers.delete(fields?.node);
  });
}
