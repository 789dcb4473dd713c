import { BROKEN_SETS } from './broken-sets.ts';
import type { LoadStats } from './load.ts';
import { newAuthority, type RotatingNode, RotationCluster } from './rotation-cluster.ts';
import { addAuthority, breakAndMend, dropAuthority, rotateLeaf, switchAuthority } from './rotations.ts';
import { until } from './until.ts';
import { WRITING_STYLES } from './writing-styles.ts';

export interface RotationPlan {
  /** Rotations by each writing style, spread over the nodes. */
  readonly rotations: number;
  /** Broken sets in all, of each kind alike, spread over the nodes. */
  readonly broken: number;
  /** Told what has just been done. */
  readonly onStep?: (step: RotationStep) => void;
}

/** What one kind of change did. */
export interface RotationStep {
  readonly name: string;
  /** From a consistent set on the disk to its use, one for each change, in milliseconds. */
  readonly adoptionsMs: readonly number[];
  /** How often a node said that what it found was not to be taken: mixtures, halves and broken sets. */
  readonly refusedSets: number;
  /** Calls of the whole cluster that ended meanwhile. */
  readonly calls: number;
  readonly failed: number;
}

export interface RotationReport {
  readonly steps: readonly RotationStep[];
  /** All calls from the first to the last. */
  readonly load: LoadStats;
  /** Of the nodes, after their drain. */
  readonly exitCodes: readonly number[];
}

/**
 * Three daemons under unary and streaming load: their leaves are rotated in every writing style, their CA is replaced,
 * and they are given broken sets, on all nodes at the same time. Rejects when a node does not take a good set, takes a
 * broken one, or still admits the CA that was dropped.
 */
export async function rotateUnderLoad(plan: RotationPlan): Promise<RotationReport> {
  const cluster = await RotationCluster.start();
  try {
    await until('the cluster to connect', () => cluster.isSettled());
    const steps = await allSteps(cluster, plan);
    const load = await cluster.stopLoad();
    return { steps, load, exitCodes: await cluster.stop() };
  } finally {
    await cluster.stop();
  }
}

async function allSteps(cluster: RotationCluster, plan: RotationPlan): Promise<readonly RotationStep[]> {
  const steps: RotationStep[] = [];
  const step = async (name: string, change: () => Promise<readonly number[]>): Promise<void> => {
    const [before, refusedBefore] = [await cluster.totals(), cluster.refusedSets];
    const adoptionsMs = await change();
    await until('the newest leaves on all connections', () => cluster.isSettled());
    const after = await cluster.totals();
    const done: RotationStep = {
      name,
      adoptionsMs,
      refusedSets: cluster.refusedSets - refusedBefore,
      calls: callsOf(after) - callsOf(before),
      failed: after.failed - before.failed,
    };
    steps.push(done);
    plan.onStep?.(done);
  };
  for (const style of WRITING_STYLES)
    await step(style.name, () => spread(cluster, plan.rotations, node => rotateLeaf(cluster, node, style)));

  const [previous, next] = [cluster.authority, await newAuthority()];
  await step('CA: add the new root', () => addAuthority(cluster, next));
  await step('CA: switch the leaves', () => switchAuthority(cluster, next));
  await step('CA: drop the old root', () => dropAuthority(cluster, previous));

  for (const [index, set] of BROKEN_SETS.entries()) {
    const times = Math.ceil((plan.broken - index) / BROKEN_SETS.length);
    await step(`broken: ${set.kind}`, () => spread(cluster, times, node => breakAndMend(cluster, node, set)));
  }
  return steps;
}

/** Makes a change so many times; each node takes the next one as soon as it is done with its last. */
async function spread(
  { nodes }: RotationCluster,
  times: number,
  change: (node: RotatingNode) => Promise<number>,
): Promise<readonly number[]> {
  const results: number[] = [];
  let left = times;
  await Promise.all(
    nodes.map(async node => {
      while (left > 0) {
        left -= 1;
        results.push(await change(node));
      }
    }),
  );
  return results;
}

function callsOf({ unary, serverStreaming, bidirectional }: LoadStats): number {
  return unary + serverStreaming + bidirectional;
}
