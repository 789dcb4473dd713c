import * as grpc from '@grpc/grpc-js';
import { createClusterControl } from '../control/cluster-control.ts';
import { createNodeControl } from '../control/node-control.ts';
import type { NodeFacts, NodeState } from '../control/node-facts.ts';
import { addStandardServices, type StandardServices } from '../control/standard-services.ts';
import type { RefusalReason } from '../errors/refusal-reason.ts';
import { formatAddress } from '../identity/address.ts';
import { denialOf } from '../identity/denied-certificate.ts';
import { constant, derived, type ObservableValue } from '../lifecycle/observable-value.ts';
import { FabricListener } from '../listener/fabric-listener.ts';
import type { InboundConnection } from '../listener/inbound-connection.ts';
import type { Admit, CallRules, ListenerPolicy } from '../listener/listener-policy.ts';
import type { StandingListener } from '../listener/standing-review.ts';
import { connectMethod } from '../messaging/frame.ts';
import { PeerStreams } from '../messaging/peer-streams.ts';
import type { PeerEntry } from '../messaging/peer-table.ts';
import type { Role } from '../rpc/caller.ts';
import { clusterControl, nodeControl } from '../rpc/control-messages.ts';
import { callRulesOf } from './call-rules.ts';
import { largestMessage } from './largest-message.ts';
import { type Candidate, candidateOf } from './member-clients.ts';
import { type Members, membersOf } from './members.ts';
import { messageLimits, NodeExchange } from './node-exchange.ts';
import type { NodeParts } from './node-parts.ts';
import { movedMembers, type ProofStandard, proofOf, proofsDependOnAddresses } from './node-proof.ts';
import { type ObservabilityServer, startObservabilityServer } from './observability-server.ts';
import { operatorFacts } from './operator-facts.ts';
import { OwnIntroduction } from './own-introduction.ts';
import type { OwnStanding } from './own-standing.ts';
import { listenerPolicyOf } from './policies.ts';
import { readinessOf } from './readiness.ts';
import { servedMethods } from './served-methods.ts';
import { statusProblems } from './status-problems.ts';
import { followUnreachable } from './unreachable-peers.ts';

/** A gRPC service of the application, as `Server.addService` takes it. */
export interface ApplicationService {
  readonly definition: grpc.ServiceDefinition;
  readonly implementation: grpc.UntypedServiceImplementation;
}

/** Facts of a node that serves; the `node.ready` log line. */
export interface NodeReady {
  readonly node: string;
  readonly generation: number;
  readonly mode: string;
  /** Advertised addresses, real ports. */
  readonly fabric: readonly string[];
  /** `unix:PATH` of the admin socket. */
  readonly admin: string;
  /** URL of the side listener, where there is one. */
  readonly observability?: string;
}

/** How long peers may take to say that they will send nothing more. */
const DRAINING_ACKNOWLEDGED_MS = 2_000;

/** Calls are for others then. */
const OUT_OF_DUTY: ReadonlySet<OwnStanding> = new Set(['draining', 'removed', 'terminating']);

const LOCAL: ReadonlySet<Role> = new Set<Role>(['local']);

/**
 * The serving side of a node: one grpc-js server, fed by the fabric listener and by the admin socket, with the peer
 * streams and the services of node and application on it.
 */
export class NodeServer {
  readonly #parts: NodeParts;
  /** What the services that operators call may know of this node. */
  readonly facts: NodeFacts;
  readonly members: Members;
  readonly #server: grpc.Server;
  readonly #fabric: FabricListener;
  readonly #admin: FabricListener;
  readonly #standard: StandardServices;
  readonly #streams: PeerStreams;
  /** What goes over the peer streams. */
  readonly exchange: NodeExchange;
  #isClosed = false;
  readonly #introduction: OwnIntroduction;
  #observability: ObservabilityServer | undefined;
  #state: NodeState = 'starting';
  /** Called when an operator asks the node to drain. */
  onDrainRequested: () => void = () => {};

  constructor(parts: NodeParts, services: readonly ApplicationService[]) {
    const { settings, logger, metrics } = parts;
    const { networking } = settings.value;
    this.#parts = parts;
    this.#server = new grpc.Server({
      'grpc.enable_channelz': 0,
      'grpc.max_concurrent_streams': networking.maxConcurrentCalls,
      'grpc.max_receive_message_length': largestMessage(settings.value),
      'grpc.max_send_message_length': largestMessage(settings.value),
    });
    this.#introduction = new OwnIntroduction(parts);
    this.#streams = new PeerStreams({
      self: this.#introduction.value,
      directory: parts.directory,
      connector: parts.connector,
      provesNode: (name, identity, { kind }) =>
        proofOf({ name, addresses: parts.directory.member(name)?.addresses }, identity, kind, this.#proofs()),
      isDenied: identity => denialOf(settings.value.tls?.deniedCertificates ?? [], identity) !== undefined,
      withdrawalOf: ({ connectionId }) =>
        this.#fabric.connections.find(({ id }) => id === connectionId)?.refusalOf(connectMethod.path),
      judgeAdmission: parts.judgeAdmission,
      guardOf: facts => this.exchange.guards.guardOf(facts),
      wayOf: facts => this.exchange.guards.wayOf(facts),
      serve: (request, guard, node) => this.exchange.serve(request, guard, node),
      refused: peer => parts.audit.refused(peer),
      options: { ...networking, messages: messageLimits(parts) },
      logger,
      metrics,
    });
    parts.canary.askPeers = (question, options) => this.#streams.ask(question, options);
    // The goodbye of the peer stream is said before its connection is closed: over that no reason can be told.
    parts.connector.onWithdrawn = ({ security }, reason) => this.#streams.endWhere(each => each === security, reason);
    // Who has calls with a member hears from it when it drains or shows another certificate.
    parts.connector.onCalled = name => this.#streams.demand(name);
    parts.connector.onConnected = name => this.#streams.follow(name);
    const policy = derived(settings, listenerPolicyOf);
    const rules = callRulesOf(parts);
    this.#fabric = this.#listener(rules, policy, parts.admit, {
      withdrawn: (connection, reason) => this.#onWithdrawn(connection, reason),
      rolesChanged: connection => {
        const refusal = connection.refusalOf(connectMethod.path);
        if (refusal !== undefined) this.#onWithdrawn(connection, refusal);
      },
    });
    this.#admin = this.#listener(
      rules,
      derived(settings, current => ({ ...listenerPolicyOf(current), mode: 'plain' as const })),
      constant<Admit>(() => ({ admitted: true, roles: LOCAL })),
    );
    this.members = membersOf(this.#streams.peers, logger);
    this.facts = operatorFacts({
      node: parts,
      streams: this.#streams,
      introduction: this.#introduction,
      fabric: this.#fabric,
      admin: this.#admin,
      served: servedMethods(services.map(({ definition }) => definition)),
      proofs: () => this.#proofs(),
      state: () => this.#stateNow(),
      drain: () => this.onDrainRequested(),
    });
    this.#server.addService(this.#streams.service.definition, this.#streams.service.implementation);
    const unary = [
      { definition: nodeControl.definition, implementation: createNodeControl(this.facts) },
      { definition: clusterControl.definition, implementation: createClusterControl(this.facts) },
      ...services,
    ];
    for (const { definition, implementation } of unary) this.#server.addService(definition, implementation);
    this.exchange = new NodeExchange({
      node: parts,
      services: unary,
      listener: this.#fabric,
      rules,
      policy,
      admit: parts.admit,
      streams: this.#streams,
      isClosed: () => this.#isClosed,
    });
    this.#standard = addStandardServices(
      this.#server,
      Object.fromEntries(services.map(({ definition }) => [serviceNameOf(definition), definition])),
    );
  }

  /** Listens everywhere, then begins to dial the members. */
  async start(): Promise<NodeReady> {
    const { settings, directory, members, outbound, closing, logger, metrics, data } = this.#parts;
    const { networking, adminSocket, observability, nodeName } = settings.value;
    const stopping = () => this.stop(0);
    closing.defer('server', stopping);
    const bound = await this.#fabric.listen(networking.bindAddress);
    this.#introduction.bound(bound);
    await this.#admin.listen({ kind: 'unix', path: adminSocket });
    if (observability !== undefined) {
      const readiness = () => readinessOf(this.#stateNow(), this.#parts);
      this.#observability = await startObservabilityServer({ address: observability.bindAddress, metrics, readiness });
    }
    this.#showMode();
    closing.defer(
      'mode metric',
      settings.subscribe(() => this.#showMode()),
    );
    closing.defer(
      'proofs of nodes',
      outbound.subscribe(() => this.#streams.judgeProofs()),
    );
    closing.defer(
      'proofs of members',
      directory.members.subscribe((members, previous) => {
        if (proofsDependOnAddresses(settings.value.tls)) this.#streams.judgeProofs(movedMembers(previous, members));
      }),
    );
    closing.defer('unreachable peers', followUnreachable(this.#streams.peers, this.#parts.unreachable));
    await members.announce(this.#introduction.word);
    this.#streams.start();
    this.#state = 'ready';
    const tellServing = () => this.#standard.setServing(!OUT_OF_DUTY.has(members.own.value));
    closing.defer('health', members.own.subscribe(tellServing));
    tellServing();
    logger.debug('node.listening', { address: formatAddress(bound) });
    return {
      node: nodeName,
      generation: data.generation,
      mode: settings.value.mode,
      fabric: this.#introduction.addresses.map(formatAddress),
      admin: `unix:${adminSocket}`,
      ...(this.#observability === undefined ? {} : { observability: this.#observability.url }),
    };
  }

  /**
   * The peer of a connection may no longer be here, so its stream ends, over which it could still be told why. A node that
   * turns plain has no credentials any more, already before its mode is another one: then nobody can be admitted by a
   * certificate, which is no reason to lose what is on its way.
   */
  #onWithdrawn({ id, caller }: InboundConnection, reason: RefusalReason): void {
    if (this.#parts.credentials.server.value === undefined)
      this.#streams.retireWhere(each => each === caller.security, 'mode_changed');
    else this.#streams.endConnection(id, reason);
  }

  /** After a change of the mode: ends the connections that it no longer allows, letting running calls finish. */
  enforceMode(): void {
    const { mode, networking } = this.#parts.settings.value;
    if (mode === 'optional') return;
    const forbidden = mode === 'strict' ? 'none' : 'mutual_tls';
    this.#streams.retireWhere(stream => (stream.kind === 'none') === (forbidden === 'none'), 'mode_changed');
    void this.#fabric.drainConnections('mode_changed', networking.drainTimeoutMs, ({ caller }) => {
      return (caller.security.kind === 'none') === (forbidden === 'none');
    });
  }

  get peers(): ObservableValue<readonly PeerEntry[]> {
    return this.#streams.peers;
  }

  /** Members as clients may pick them. */
  candidates(): readonly Candidate[] {
    return this.#streams.peers.value.map(candidateOf);
  }

  /** Takes nothing new, lets calls finish within `graceMs`, and resolves when every listener and stream is closed. */
  async stop(graceMs: number): Promise<void> {
    this.#state = 'draining';
    this.#standard.setServing(false);
    if (graceMs > 0) await this.#streams.announceDraining(Math.min(graceMs, DRAINING_ACKNOWLEDGED_MS));
    const fabricClosed = this.#fabric.close('node_draining', graceMs);
    await this.exchange.settled(graceMs);
    this.#isClosed = true;
    await this.#streams.close('node_draining');
    this.exchange.close();
    await fabricClosed;
    await this.#admin.close('node_draining', Math.min(graceMs, 1_000));
    await this.#observability?.close();
    this.#server.forceShutdown();
  }

  #proofs(): ProofStandard {
    const { outbound, credentials } = this.#parts;
    return { outbound: outbound.value, anchors: credentials.server.value?.anchors ?? [] };
  }

  /** `draining` also while the members say so. `degraded`: it serves, on files of which a newer content could not be taken, or as somebody whom others refuse. */
  #stateNow(): NodeState {
    if (this.#state !== 'ready') return this.#state;
    if (this.#parts.members.own.value === 'draining') return 'draining';
    return statusProblems(this.#parts).length > 0 ? 'degraded' : 'ready';
  }

  #listener(
    rules: CallRules,
    policy: ObservableValue<ListenerPolicy>,
    admit: ObservableValue<Admit>,
    standings: StandingListener = {},
  ): FabricListener {
    const { settings, credentials, audit, logger, metrics } = this.#parts;
    return new FabricListener({
      server: this.#server,
      policy,
      trust: credentials.server,
      limits: settings.value.networking,
      admit,
      standings,
      rules,
      followPeer: identity => credentials.expiry.followPeer(identity),
      refused: peer => audit.refused(peer),
      logger,
      metrics,
    });
  }

  #showMode(): void {
    const { metrics, settings } = this.#parts;
    for (const mode of ['plain', 'optional', 'strict'] as const) {
      metrics.tlsMode.set({ mode }, settings.value.mode === mode ? 1 : 0);
    }
  }
}

function serviceNameOf(definition: grpc.ServiceDefinition): string {
  const path = Object.values(definition)[0]?.path ?? '/unknown/';
  return path.slice(1, path.lastIndexOf('/'));
}
