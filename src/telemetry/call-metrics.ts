import { Counter, type Histogram, type Registry } from 'prom-client';

/** Upper bounds of the buckets, in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How long calls of one method took that ended with one status. */
interface Durations {
  /** One a bound; what is above all of them is in `count` alone. */
  readonly buckets: number[];
  sum: number;
  count: number;
}

/** What was counted of the calls of one method. */
export class MethodCalls {
  started = 0;
  allowed = 0;
  denied = 0;
  readonly durations: Map<string, Durations> = new Map();

  /** @param status its name, such as `OK`. */
  ended(status: string, milliseconds: number): void {
    let durations = this.durations.get(status);
    if (durations === undefined) {
      durations = { buckets: BOUNDS.map(() => 0), sum: 0, count: 0 };
      this.durations.set(status, durations);
    }
    const seconds = milliseconds / 1_000;
    const at = BOUNDS.findIndex(bound => seconds <= bound);
    if (at !== -1) durations.buckets[at] = (durations.buckets[at] ?? 0) + 1;
    durations.sum += seconds;
    durations.count += 1;
  }
}

/**
 * The calls of one side, by method. prom-client makes a text of the labels at each observation, which costs a call more
 * than all else that is counted of it; here a call finds its method once, and labels are made when somebody reads.
 */
export class CallMetrics {
  readonly #methods = new Map<string, MethodCalls>();

  /** @param path `/package.Service/Method`, of a method that is registered or that this process calls. */
  of(path: string): MethodCalls {
    const known = this.#methods.get(path);
    if (known !== undefined) return known;
    const calls = new MethodCalls();
    this.#methods.set(path, calls);
    return calls;
  }

  exposeStarted(registry: Registry, name: string, help: string): void {
    const methods = this.#methods;
    new Counter({
      name,
      help,
      labelNames: ['grpc_method'],
      registers: [registry],
      collect() {
        this.reset();
        // Of messages, decisions alone are counted here.
        for (const [path, { started }] of methods) if (started > 0) this.inc({ grpc_method: path.slice(1) }, started);
      },
    });
  }

  exposeDecisions(registry: Registry, name: string, help: string): void {
    const methods = this.#methods;
    new Counter({
      name,
      help,
      labelNames: ['service', 'decision'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [path, { allowed, denied }] of methods) {
          const service = path.slice(1, path.lastIndexOf('/'));
          if (allowed > 0) this.inc({ service, decision: 'allow' }, allowed);
          if (denied > 0) this.inc({ service, decision: 'deny' }, denied);
        }
      },
    });
  }

  exposeDurations(registry: Registry, name: string, help: string): void {
    const get = async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: this.#samples(name) });
    // All that a registry asks of a metric; its type knows prom-client's own classes only.
    registry.registerMetric({ name, help, get } as unknown as Histogram);
  }

  #samples(name: string): readonly object[] {
    return [...this.#methods].flatMap(([path, { durations }]) =>
      [...durations].flatMap(([status, { buckets, sum, count }]) => {
        const labels = { grpc_method: path.slice(1), grpc_status: status };
        let upTo = 0;
        const bounded = buckets.map((inBucket, at) => {
          upTo += inBucket;
          return { metricName: `${name}_bucket`, labels: { le: BOUNDS[at], ...labels }, value: upTo };
        });
        return [
          ...bounded,
          { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
          { metricName: `${name}_sum`, labels, value: sum },
          { metricName: `${name}_count`, labels, value: count },
        ];
      }),
    );
  }
}
