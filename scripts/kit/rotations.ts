import assert from 'node:assert/strict';
import type { Authority } from '../../src/dev-pki/authority.ts';
import type { BrokenSet } from './broken-sets.ts';
import type { LogLine } from './daemon.ts';
import { leafOf, type RotatingNode, type RotationCluster } from './rotation-cluster.ts';
import { until } from './until.ts';
import { renameOver, type WritingStyle } from './writing-styles.ts';

// Each function here changes the credentials of running nodes and resolves with how long a node took, from the moment
// when the set on its disk was consistent to the moment when a handshake saw it in use, in milliseconds.

/** Gives the node a new leaf. In use means: a new handshake on its port shows it. */
export async function rotateLeaf(
  cluster: RotationCluster,
  node: RotatingNode,
  { write }: Pick<WritingStyle, 'write'>,
): Promise<number> {
  const pair = await cluster.issue(node);
  const leaf = leafOf(pair);
  const written = await writeAndWait(
    node,
    () => write(node.directory, pair),
    line => line.fingerprint === leaf,
  );
  const probe = await cluster.probe(node);
  assert.equal(probe.leaf, leaf, `${node.name} said that it reloaded, but shows another leaf`);
  assert.equal(probe.refusal, undefined);
  return probe.atMs - written.consistentAtMs;
}

/** Gives the node a broken set, sees it stay with the one before and say why, and resolves with how long a good one then takes. */
export async function breakAndMend(cluster: RotationCluster, node: RotatingNode, broken: BrokenSet): Promise<number> {
  const { leaf } = await cluster.probe(node);
  const since = node.daemon.lines.length;
  await broken.write(node.directory, {
    issue: validity => cluster.issue(node, validity),
    issueByStranger: () => cluster.issueByStranger(node),
  });
  await node.daemon.waitFor('tls.reload_failed', line => broken.says.test(JSON.stringify(line)), since);
  const probe = await cluster.probe(node);
  assert.equal(probe.leaf, leaf, `${node.name} took a set that was ${broken.kind}`);
  assert.equal(probe.refusal, undefined);
  return rotateLeaf(cluster, node, { write: renameOver });
}

/** The first step of a CA rollover: every node trusts `next` too. In use means: a certificate of it is admitted. */
export function addAuthority(cluster: RotationCluster, next: Authority): Promise<readonly number[]> {
  return onAllNodes(cluster, async node => {
    const write = () => cluster.writeAnchors(node, [cluster.authority, next]);
    const { consistentAtMs } = await writeAndWait(node, write, line => line.anchors === 2);
    const probe = await cluster.probe(node, next);
    assert.equal(probe.refusal, undefined, `${node.name} does not admit the new CA`);
    return probe.atMs - consistentAtMs;
  });
}

/** The second step: every leaf is replaced by one of `next`, one node after the other, until all connections use them. */
export async function switchAuthority(cluster: RotationCluster, next: Authority): Promise<readonly number[]> {
  cluster.authority = next;
  const adoptionsMs: number[] = [];
  for (const node of cluster.nodes) adoptionsMs.push(await rotateLeaf(cluster, node, { write: renameOver }));
  await until('the leaves of the new CA on all connections', () => cluster.isSettled());
  return adoptionsMs;
}

/** The last step: nobody trusts `previous` any more. In use means: a certificate of it is refused as `unknown_ca`. */
export function dropAuthority(cluster: RotationCluster, previous: Authority): Promise<readonly number[]> {
  return onAllNodes(cluster, async node => {
    const write = () => cluster.writeAnchors(node, [cluster.authority]);
    const { consistentAtMs } = await writeAndWait(node, write, line => line.anchors === 1);
    const probe = await cluster.probe(node, previous);
    assert.equal(probe.refusal, 'unknown_ca', `${node.name} still admits the old CA`);
    return probe.atMs - consistentAtMs;
  });
}

function onAllNodes(
  { nodes }: RotationCluster,
  change: (node: RotatingNode) => Promise<number>,
): Promise<readonly number[]> {
  return Promise.all(nodes.map(change));
}

async function writeAndWait(
  { daemon }: RotatingNode,
  write: () => Promise<void>,
  isIt: (line: LogLine) => boolean,
): Promise<{ readonly consistentAtMs: number }> {
  const since = daemon.lines.length;
  await write();
  const consistentAtMs = Date.now();
  await daemon.waitFor('tls.reloaded', isIt, since);
  return { consistentAtMs };
}
