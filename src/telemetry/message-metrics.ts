import { Counter, type Registry } from 'prom-client';
import { MESSAGE_FAILURES, type MessageFailure } from '../errors/message-failure.ts';

/** What became of a message. */
export type MessageResult = 'ok' | MessageFailure;

const PRIORITIES = ['high', 'normal', 'bulk'] as const;
const RESULTS: readonly MessageResult[] = ['ok', ...MESSAGE_FAILURES];

/** Messages between nodes by priority and result. Counted in plain numbers: labels are made when somebody reads. */
export class MessageMetrics {
  readonly #sent = PRIORITIES.map(() => RESULTS.map(() => 0));
  readonly #received = PRIORITIES.map(() => RESULTS.map(() => 0));

  /** A request or message of this node is settled. @param priority place in the list of priorities. */
  sent(priority: 0 | 1 | 2, result: MessageResult): void {
    count(this.#sent, priority, result);
  }

  /** A request or message of a peer was served, or turned away. */
  received(priority: 0 | 1 | 2, result: MessageResult): void {
    count(this.#received, priority, result);
  }

  expose(registry: Registry): void {
    exposeCounts(registry, 'selvedge_messages_sent_total', 'Requests and messages to other nodes.', this.#sent);
    exposeCounts(registry, 'selvedge_messages_received_total', 'Requests and messages of nodes.', this.#received);
  }
}

function count(counts: number[][], priority: 0 | 1 | 2, result: MessageResult): void {
  const of = counts[priority];
  const at = result === 'ok' ? 0 : RESULTS.indexOf(result);
  if (of !== undefined) of[at] = (of[at] ?? 0) + 1;
}

function exposeCounts(registry: Registry, name: string, help: string, counts: readonly (readonly number[])[]): void {
  new Counter({
    name,
    help,
    labelNames: ['priority', 'result'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [index, priority] of PRIORITIES.entries())
        for (const [at, result] of RESULTS.entries()) {
          const value = counts[index]?.[at] ?? 0;
          if (value > 0) this.inc({ priority, result }, value);
        }
    },
  });
}
