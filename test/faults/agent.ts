// A node of the fault tests: its journal says what it sent, what it received and what became of it.
// Usage: agent.ts CONFIG, with an IPC channel to its parent, at whose end it ends too.
import { readFileSync } from 'node:fs';
import { createLogger, FabricNode, type FabricNodeOptions, type Liveness } from '../../src/index.ts';
import { JournalWriter, type ProcessName } from './journal.ts';
import { callReceiver, receiveMessages } from './receiver.ts';
import { sendersOf } from './senders.ts';
import { Traffic, type TrafficPlan } from './traffic.ts';

export interface AgentConfig {
  readonly options: FabricNodeOptions;
  /** The other nodes. */
  readonly peers: readonly string[];
  readonly journal: string;
}

export type AgentCommand =
  | { readonly command: 'start'; readonly plan: TrafficPlan }
  /** Answered by `stopped` when all that was sent has ended. */
  | { readonly command: 'stop' };

export type AgentReport = 'ready' | 'stopped';

const { options, peers, journal: file }: AgentConfig = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const journal = new JournalWriter(file);
process.once('disconnect', () => process.exit());

let introduce: (self: ProcessName) => void = () => {};
const introduced = new Promise<ProcessName>(resolve => {
  introduce = resolve;
});
const node = await FabricNode.start(options, {
  logger: createLogger({ write: () => {} }),
  services: [callReceiver(journal, introduced)],
});
for (const { name, liveness } of node.members.all) noteMember(name, liveness);
node.members.subscribe(({ node: name, to }) => noteMember(name, to));
receiveMessages(node.messages, journal, introduced);
const self = { node: node.ready.node, generation: node.ready.generation };
journal.write({ what: 'started', generation: self.generation });
introduce(self);

const traffic = new Traffic(self, peers, sendersOf(node, peers), journal);
process.on('message', (message: AgentCommand) => {
  if (message.command === 'start') traffic.start(message.plan);
  else void traffic.stop().then(() => tell('stopped'));
});
tell('ready');

function tell(report: AgentReport): void {
  process.send?.(report);
}

function noteMember(name: string, liveness: Liveness | undefined): void {
  if (liveness === undefined) return;
  const { state, reason, generation } = liveness;
  journal.write({ what: 'member', node: name, state, reason, generation });
}
