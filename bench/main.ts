// Runs the benchmarks, one after the other. What they show: docs/benchmarks.md.
//
//   npm run bench                         all of them
//   npm run bench -- calls --quick        one, with few rounds
//   npm run bench -- --list               which there are
//   npm run -s bench -- --json > out.json
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { messageOf } from '../src/errors/selvedge-error.ts';
import { calls } from './calls.ts';
import type { Benchmark, Report } from './kit/benchmark.ts';
import { renderReport } from './kit/render-report.ts';
import { manyConnections } from './many-connections.ts';
import { members } from './members.ts';
import { messages } from './messages.ts';
import { reload } from './reload.ts';
import { stalledPeers } from './stalled-peers.ts';

const BENCHMARKS: readonly Benchmark[] = [stalledPeers, calls, manyConnections, members, messages, reload];
/** A benchmark that takes longer hangs. */
const DEADLINE_MS = 600_000;

const LIST = BENCHMARKS.map(({ name, question }) => `  ${name.padEnd(18)} ${question}`).join('\n');

const { quick, json, list, chosen } = readArguments();
if (list) {
  console.log(LIST);
  process.exit(0);
}
const machine = {
  node: process.version,
  cpus: availableParallelism(),
  cpuModel: cpus()[0]?.model ?? 'unknown',
  platform: `${process.platform} ${process.arch}`,
  startedAt: new Date().toISOString(),
  loadAverage: loadavg()[0],
};
if (!json) {
  console.log(`Node ${machine.node}, ${machine.platform}, ${machine.cpus} CPUs (${machine.cpuModel})`);
  console.log(`load average ${machine.loadAverage?.toFixed(2)} at ${machine.startedAt}${quick ? ', quick' : ''}`);
}

const results: (Report & { readonly name: string; readonly seconds: number })[] = [];
for (const benchmark of chosen) {
  const result = await runOne(benchmark);
  results.push(result);
  if (!json)
    console.log(
      `\n== ${result.name}: ${benchmark.question} (${result.seconds.toFixed(0)} s)\n\n${renderReport(result)}`,
    );
}
if (json) console.log(JSON.stringify({ machine, quick, results }, undefined, 2));
// Connections may still be on their way to being closed.
process.exit(0);

function readArguments(): {
  readonly quick: boolean;
  readonly json: boolean;
  readonly list: boolean;
  readonly chosen: readonly Benchmark[];
} {
  try {
    const flag = { type: 'boolean', default: false } as const;
    const options = { quick: flag, json: flag, list: flag };
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const unknown = positionals.filter(name => BENCHMARKS.every(benchmark => benchmark.name !== name));
    if (unknown.length > 0) throw new Error(`There is no benchmark ${unknown.join(', ')}.`);
    const chosen = BENCHMARKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
    return { ...values, chosen };
  } catch (error) {
    console.error(`${messageOf(error)}\nUsage: npm run bench -- [NAME]... [--quick] [--json] [--list]\n${LIST}`);
    process.exit(2);
  }
}

async function runOne({ name, run }: Benchmark): Promise<Report & { readonly name: string; readonly seconds: number }> {
  const watchdog = setTimeout(() => fail(name, `not done after ${DEADLINE_MS / 1_000} s`), DEADLINE_MS);
  const startedAt = performance.now();
  try {
    const progress = (text: string) => console.error(`${name}: ${text}`);
    const report = await run({ quick, progress });
    return { name, seconds: (performance.now() - startedAt) / 1_000, ...report };
  } catch (error) {
    return fail(name, messageOf(error));
  } finally {
    clearTimeout(watchdog);
  }
}

/** Child processes end with this one. */
function fail(name: string, why: string): never {
  console.error(`${name}: ${why}`);
  process.exit(1);
}
