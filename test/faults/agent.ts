// A node of the fault tests: its journal says what it sent, what it received and what became of it.
// Usage: agent.ts CONFIG, with an IPC channel to its parent, at whose end it ends too.
import { readFileSync } from 'node:fs';
import { createLogger, FabricNode, type FabricNodeOptions, type Liveness } from '../../src/index.ts';
import { JournalWriter, type ProcessName } from './journal.ts';
import { callReceiver, receiveMessages } from './receiver.ts';
import { publisherOf, sendersOf } from './senders.ts';
import { type Burst, Traffic, type TrafficPlan } from './traffic.ts';

export interface AgentConfig {
  readonly options: FabricNodeOptions;
  /** The other nodes. */
  readonly peers: readonly string[];
  readonly journal: string;
}

export type AgentCommand =
  | { readonly command: 'start'; readonly plan: TrafficPlan }
  | { readonly command: 'burst'; readonly burst: Burst }
  /** Answered by `stopped` when all that was sent has ended. */
  | { readonly command: 'stop' }
  /** Drains the node, which goes on to send. Answered by `drained` when it has closed and all that was sent has ended. */
  | { readonly command: 'drain' };

export type AgentReport = 'ready' | 'stopped' | 'drained';

const { options, peers, journal: file }: AgentConfig = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const journal = new JournalWriter(file);
process.once('disconnect', () => process.exit());

let introduce: (self: ProcessName) => void = () => {};
const introduced = new Promise<ProcessName>(resolve => {
  introduce = resolve;
});
const node = await FabricNode.start(options, {
  logger: createLogger({ level: 'debug', write: noteReplacement }),
  services: [callReceiver(journal, introduced)],
});
for (const { name, liveness } of node.members.all) noteMember(name, liveness);
node.members.subscribe(({ node: name, to }) => noteMember(name, to));
receiveMessages(node.messages, options.nodeName, journal, introduced);
const self = { node: node.ready.node, generation: node.ready.generation };
journal.write({ what: 'started', generation: self.generation });
introduce(self);

const traffic = new Traffic({ self, peers, senders: sendersOf(node, peers), publish: publisherOf(node), journal });
process.on('message', async (message: AgentCommand) => {
  switch (message.command) {
    case 'start':
      return traffic.start(message.plan);
    case 'burst':
      return traffic.burst(message.burst);
    case 'stop':
      await traffic.stop();
      return tell('stopped');
    case 'drain':
      await node.drain();
      await traffic.end();
      return tell('drained');
  }
});
tell('ready');

function tell(report: AgentReport): void {
  process.send?.(report);
}

function noteReplacement(line: string): void {
  const { event, node: name }: { event: string; node: string } = JSON.parse(line);
  if (event === 'peer.stream_replaced') journal.write({ what: 'stream_replaced', node: name });
}

function noteMember(name: string, liveness: Liveness | undefined): void {
  if (liveness === undefined) return;
  const { state, reason, generation } = liveness;
  journal.write({ what: 'member', node: name, state, reason, generation });
}
