import { X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import { nodeCertificateRequest } from '../../src/dev-pki/node-certificate.ts';
import type { PemPair } from '../../src/dev-pki/signer.ts';
import { type NodeControlMethods, nodeControl } from '../../src/rpc/control-messages.ts';
import { callUnary } from '../../src/rpc/service.ts';
import { Daemon } from './daemon.ts';
import { freePorts } from './free-ports.ts';
import type { LoadStats } from './load.ts';
import { statsOf, sumOfStats } from './load-stats.ts';
import { type FabricProbe, fingerprintOf, probeFabric } from './probe-fabric.ts';
import { CERT_FILE, KEY_FILE, renameOver, replaceFile } from './writing-styles.ts';

const LOAD_NODE = fileURLToPath(new URL('./load-node.ts', import.meta.url));
const CLUSTER_NAME = 'demo';
const CA_FILE = 'ca.pem';

/** One node whose credentials lie in a directory of their own, and its process. */
export interface RotatingNode {
  readonly name: string;
  readonly port: number;
  /** Where its certificate, key and trust anchors lie. */
  readonly directory: string;
  readonly daemon: Daemon;
}

/** Daemons in strict mode, each under load to all others, whose credentials are there to be replaced. */
export class RotationCluster {
  readonly nodes: readonly RotatingNode[];
  /** Who issues from now on. */
  authority: Authority;
  readonly #directory: string;
  readonly #stranger: Authority;

  static async start(size = 3): Promise<RotationCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'selvedge-rotation-'));
    const authority = await newAuthority();
    const ports = await freePorts(size);
    const names = ports.map((_, index) => `node-${index + 1}`);
    const members = names.map((name, index) => `[[member]]\nname = "${name}"\naddress = "127.0.0.1:${ports[index]}"\n`);
    await writeFile(join(directory, 'members.toml'), members.join('\n'));
    const nodes = await Promise.all(
      names.map(async (name, index): Promise<RotatingNode> => {
        const [config, credentials, port] = [join(directory, `${name}.toml`), join(directory, name), ports[index] ?? 0];
        await writeFile(config, configOf(name, port));
        await mkdir(credentials);
        await replaceFile(join(credentials, CA_FILE), authority.anchorsPem);
        await renameOver(credentials, await issueNode(authority, name));
        const others = names.filter(other => other !== name).join(',');
        const daemon = new Daemon({ config, program: [LOAD_NODE, config, others] });
        return { name, port, directory: credentials, daemon };
      }),
    );
    const cluster = new RotationCluster(directory, nodes, authority, await newAuthority());
    await Promise.all(nodes.map(node => node.daemon.waitFor('node.ready')));
    return cluster;
  }

  private constructor(directory: string, nodes: readonly RotatingNode[], authority: Authority, stranger: Authority) {
    this.#directory = directory;
    this.nodes = nodes;
    this.authority = authority;
    this.#stranger = stranger;
  }

  /** A new certificate for the node, by the present authority. */
  issue(node: RotatingNode, validity: { readonly notAfter?: Date } = {}): Promise<PemPair> {
    return issueNode(this.authority, node.name, validity);
  }

  /** A certificate for the node by a CA that nobody trusts. */
  issueByStranger(node: RotatingNode): Promise<PemPair> {
    return issueNode(this.#stranger, node.name);
  }

  /** Replaces the trust anchors of a node by those of `authorities`. */
  writeAnchors(node: RotatingNode, authorities: readonly Authority[]): Promise<void> {
    return replaceFile(join(node.directory, CA_FILE), authorities.map(({ anchorsPem }) => anchorsPem).join(''));
  }

  /** What the node shows to somebody who dials it now with a certificate of `authority`, and whether it admits that. */
  async probe(node: RotatingNode, authority: Authority = this.authority): Promise<FabricProbe> {
    return probeFabric(node.port, await issueNode(authority, 'probe'));
  }

  /** Whether every node is connected to every other, and has a connection in either direction that shows the leaf of the other of now. */
  async isSettled(): Promise<boolean> {
    const leaves = await Promise.all(this.nodes.map(async node => (await this.probe(node)).leaf));
    const settled = await Promise.all(
      this.nodes.map(async node => {
        const { peers } = await this.#ask(node, 'GetStatus');
        const { connections } = await this.#ask(node, 'ListConnections');
        const shown = new Set(connections.map(each => `${each.direction} ${each.fingerprintSha256}`));
        const others = leaves.filter((_, index) => this.nodes[index] !== node);
        const isShown = (leaf: string) => shown.has(`inbound ${leaf}`) && shown.has(`outbound ${leaf}`);
        return peers.every(peer => peer.state === 'connected') && others.every(isShown);
      }),
    );
    return settled.every(Boolean);
  }

  /** How often the nodes said so far that they did not take what they found. */
  get refusedSets(): number {
    const lines = this.nodes.flatMap(({ daemon }) => daemon.lines);
    return lines.filter(line => line.event === 'tls.reload_failed').length;
  }

  /** All calls that ended before now. */
  async totals(): Promise<LoadStats> {
    const stats = this.nodes.map(async ({ daemon }) => {
      await daemon.waitFor('load.stats', () => true, daemon.lines.length);
      return statsOf(daemon);
    });
    return sumOfStats(await Promise.all(stats));
  }

  /** Ends the calls, waits for the last one, and counts all that ever were. */
  async stopLoad(): Promise<LoadStats> {
    for (const { daemon } of this.nodes) daemon.signal('SIGUSR2');
    await Promise.all(this.nodes.map(({ daemon }) => daemon.waitFor('load.stopped')));
    return sumOfStats(this.nodes.map(({ daemon }) => statsOf(daemon)));
  }

  /** Drains all nodes; resolves with their exit codes. */
  async stop(): Promise<readonly number[]> {
    const codes = await Promise.all(this.nodes.map(node => node.daemon.stop()));
    await rm(this.#directory, { recursive: true, force: true });
    return codes;
  }

  async #ask<Name extends 'GetStatus' | 'ListConnections'>(
    { daemon }: RotatingNode,
    method: Name,
  ): Promise<NodeControlMethods[Name]['response']> {
    const client = new grpc.Client(daemon.ready.admin, grpc.credentials.createInsecure());
    try {
      return await callUnary(client, nodeControl, method, {} as NodeControlMethods[Name]['request']);
    } finally {
      client.close();
    }
  }
}

/** A CA like that of the cluster, with a key of its own. */
export function newAuthority(): Promise<Authority> {
  return createAuthority({ commonName: `${CLUSTER_NAME} CA`, trustDomain: CLUSTER_NAME });
}

/** SHA-256 of the leaf of a pair, hexadecimal. */
export function leafOf({ certPem }: PemPair): string {
  return fingerprintOf(new X509Certificate(certPem).raw);
}

function issueNode(
  authority: Authority,
  nodeName: string,
  validity: { readonly notAfter?: Date } = {},
): Promise<PemPair> {
  const names = nodeCertificateRequest({ clusterName: CLUSTER_NAME, nodeName, hosts: ['127.0.0.1'] });
  return authority.issue({ ...names, ...validity });
}

function configOf(name: string, port: number): string {
  return `cluster-name = "${CLUSTER_NAME}"
node-name = "${name}"
data-dir = "data-${name}"

[networking]
bind-address = "127.0.0.1:${port}"
drain-timeout = "10s"

[networking.tls]
mode = "strict"
cert-file = "${name}/${CERT_FILE}"
key-file = "${name}/${KEY_FILE}"
ca-file = "${name}/${CA_FILE}"
allowed-subject-names = ["uri:spiffe://${CLUSTER_NAME}/fabric/*"]
node-identity = "uri:spiffe://${CLUSTER_NAME}/fabric/{node-name}"

[membership]
source = "file"
members-file = "members.toml"
`;
}
