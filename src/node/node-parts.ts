import { hostname } from 'node:os';
import { join } from 'node:path';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { BearerAuthenticator } from '../authentication/bearer-authenticator.ts';
import { WatchedBearerRules, type WatchedRulesParts } from '../authentication/bearer-rules.ts';
import type { TokenEntry } from '../authentication/token-file.ts';
import { Connector } from '../connector/connector.ts';
import type { OutboundPolicy } from '../connector/trust-profile.ts';
import { messageOf } from '../errors/selvedge-error.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { ClosingStack } from '../lifecycle/closing-stack.ts';
import type { KeptValue } from '../lifecycle/kept-value.ts';
import { derived, MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { Admit } from '../listener/listener-policy.ts';
import { type BeliefPolicy, MemberDirectory } from '../membership/member-directory.ts';
import type { TlsMemory } from '../membership/tls-memory.ts';
import { openTlsMemory } from '../membership/tls-memory-file.ts';
import type { JudgeAdmission } from '../messaging/peer-parts.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { CallPolicies } from './call-policies.ts';
import { Canary } from './canary.ts';
import { checkSourcesReachable } from './check-reachable.ts';
import { CredentialSet, type CredentialTrial } from './credential-set.ts';
import { type DataDirectory, openDataDirectory } from './data-directory.ts';
import { judgeAdmission } from './judge-admission.ts';
import { largestMessage } from './largest-message.ts';
import { type ModeState, openModeState } from './mode-state.ts';
import type { NodeMembership } from './node-membership.ts';

import { NodeProblems } from './node-problems.ts';
import type { NodeSettings } from './node-settings.ts';
import { openAudit, type TakeAuditRecord } from './open-audit.ts';
import { membershipCredentials } from './open-etcd.ts';
import { openMembership } from './open-membership.ts';
import { ownDenial } from './own-denial.ts';
import { ownNameProblems } from './own-names.ts';
import { effectiveSettings } from './plaintext-deadline.ts';
import { admitUnder, beliefPolicyOf, outboundPolicyOf } from './policies.ts';

/**
 * What a node is made of below its server, built in order and closed in reverse: data directory, credentials,
 * members, connector. Settings are the one thing that changes; everything else follows them.
 */
export class NodeParts {
  readonly settings: MutableValue<NodeSettings>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly data: DataDirectory;
  readonly problems: NodeProblems;
  readonly audit: AuditTrail;
  /** Asks peers as soon as the server has given it the means. */
  readonly canary: Canary;
  readonly credentials: CredentialSet;
  /** What calls are decided by. */
  readonly policies: CallPolicies;
  /** Finds out who calls by the token of a call. */
  readonly bearers: BearerAuthenticator;
  /** Where the list of members comes from. */
  readonly members: NodeMembership;
  /** Names of members that cannot be reached now. */
  readonly unreachable: MutableValue<ReadonlySet<string>>;
  readonly directory: MemberDirectory;
  readonly connector: Connector;
  /** Decides on peers of the fabric listener; another function after each change of the settings. */
  readonly admit: ObservableValue<Admit>;
  /** What is dialled, with which credentials, and who must prove which name; follows the settings and their credentials. */
  readonly outbound: MutableValue<OutboundPolicy>;
  readonly closing: ClosingStack;
  /** Why the memory of members that spoke TLS could not be read at the start. */
  readonly memoryProblem: string | undefined;
  readonly modeState: MutableValue<ModeState>;
  /** What the mode asks of an operator. */
  modeNotices: () => readonly string[] = () => [];
  readonly hostName: string = hostname().toLowerCase();
  readonly #bearerRules: WatchedBearerRules;
  readonly #belief: MutableValue<BeliefPolicy>;
  #told: ReadonlySet<string> = new Set();

  /**
   * @param configured what the node is told; it may be strict by its `plaintext-deadline` all the same.
   * @param methods paths of everything that the node will serve.
   */
  static async open(
    configured: NodeSettings,
    logger: Logger,
    metrics: Metrics,
    methods: readonly string[],
    takeAudit?: TakeAuditRecord,
  ): Promise<NodeParts> {
    const closing = new ClosingStack((name, error) =>
      logger.error('node.close_failed', { part: name, problem: messageOf(error) }),
    );
    try {
      const data = closing.use('data directory', await openDataDirectory(configured.dataDir));
      const modeState = closing.use('mode', await openModeState(join(configured.dataDir, 'mode.json'), logger));
      const settings = effectiveSettings(configured, modeState.value.value.turnedAfterMs);
      const canary = new Canary({ nodeName: settings.nodeName, logger, metrics });
      const tryOut = (trial: CredentialTrial) => canary.tryOut(trial);
      const credentials = closing.use('credentials', new CredentialSet(logger, metrics, tryOut));
      const problems = new NodeProblems();
      let policies: CallPolicies | undefined;
      const audit = await openAudit({
        settings,
        nodeGeneration: data.generation,
        trustGeneration: () => credentials.server.value?.generation ?? 0,
        auditsAllowed: () => policies?.enforced?.auditsAllowed === true,
        take: takeAudit,
        problems,
        logger,
        metrics,
      });
      closing.use('audit', audit);
      await credentials.adopt(settings.tls, membershipCredentials(settings));
      const current = new MutableValue(settings);
      const outbound = new MutableValue(outboundPolicyOf(settings, credentials));
      policies = closing.use(
        'policies',
        await CallPolicies.open({ settings: current, methods, logger, metrics, problems }),
      );
      const onProblem: WatchedRulesParts['onProblem'] = (file, problem) => problems.set(file, problem);
      const bearerRules = closing.use('bearer rules', new WatchedBearerRules({ logger, metrics, onProblem }));
      await bearerRules.commit(await bearerRules.prepare(settings.authorization.bearer));
      const unreachable = new MutableValue<ReadonlySet<string>>(new Set());
      const tlsMemory = closing.use(
        'memory of members',
        await openTlsMemory(join(settings.dataDir, 'members-with-tls.json'), logger),
      );
      const members = await openMembership({
        settings: current,
        credentials,
        outbound,
        data,
        unreachable,
        tlsMemory: tlsMemory.value,
        refused: peer => audit.refused(peer),
        problems,
        logger,
        metrics,
      });
      closing.use('members', members);
      return new NodeParts({
        problems,
        policies,
        audit,
        settings: current,
        logger,
        metrics,
        data,
        canary,
        credentials,
        outbound,
        bearerRules,
        members,
        unreachable,
        tlsMemory,
        modeState,
        closing,
      });
    } catch (error) {
      await closing.close();
      throw error;
    }
  }

  private constructor(parts: {
    problems: NodeProblems;
    policies: CallPolicies;
    audit: AuditTrail;
    settings: MutableValue<NodeSettings>;
    logger: Logger;
    metrics: Metrics;
    data: DataDirectory;
    canary: Canary;
    credentials: CredentialSet;
    outbound: MutableValue<OutboundPolicy>;
    bearerRules: WatchedBearerRules;
    members: NodeMembership;
    unreachable: MutableValue<ReadonlySet<string>>;
    tlsMemory: KeptValue<TlsMemory>;
    modeState: KeptValue<ModeState>;
    closing: ClosingStack;
  }) {
    const { settings, logger, metrics, credentials, closing } = parts;
    this.settings = settings;
    this.logger = logger;
    this.metrics = metrics;
    this.data = parts.data;
    this.problems = parts.problems;
    this.policies = parts.policies;
    this.audit = parts.audit;
    this.canary = parts.canary;
    this.credentials = credentials;
    this.#bearerRules = parts.bearerRules;
    this.bearers = closing.use('bearers', new BearerAuthenticator({ rules: parts.bearerRules.rules, logger, metrics }));
    this.closing = closing;
    this.members = parts.members;
    this.unreachable = parts.unreachable;
    this.memoryProblem = parts.tlsMemory.problem;
    this.modeState = parts.modeState.value;
    this.admit = derived(settings, admitUnder);
    this.#belief = new MutableValue(beliefPolicyOf(settings.value));
    this.outbound = parts.outbound;
    this.directory = closing.use(
      'directory',
      new MemberDirectory({
        source: parts.members.membership.view,
        policy: this.#belief,
        self: settings.value.nodeName,
        lists: () => parts.members.membership.lists,
        memory: parts.tlsMemory.value,
      }),
    );
    this.connector = closing.use(
      'connector',
      new Connector({
        self: settings.value.nodeName,
        directory: this.directory,
        policy: this.outbound,
        options: { ...settings.value.networking, maxMessageBytes: largestMessage(settings.value) },
        followPeer: identity => credentials.expiry.followPeer(identity),
        refused: peer => parts.audit.refused(peer),
        logger,
        metrics,
      }),
    );
    for (const value of [settings, credentials.server])
      closing.defer(
        'own standing',
        value.subscribe(() => this.#tellOwnStanding()),
      );
    this.#tellOwnStanding();
  }

  /** That the deny list names a certificate of this node; undefined where it names none. */
  get ownDenial(): string | undefined {
    return ownDenial(this.settings.value.tls?.deniedCertificates ?? [], this.credentials.used);
  }

  #identityOf(usage: 'server' | 'client'): PeerIdentity | undefined {
    return this.credentials.used.find(each => each.usage === usage)?.store.snapshot.value.own.identity;
  }

  /** Each thing once, as long as it stays so. Names may be so from the start: others may be configured otherwise. */
  #tellOwnStanding(): void {
    const told = this.#told;
    this.#told = new Set([
      ...(this.ownDenial === undefined ? [] : [this.ownDenial]),
      ...ownNameProblems(this.settings.value, {
        server: this.#identityOf('server'),
        client: this.#identityOf('client'),
      }),
    ]);
    for (const problem of this.#told) {
      if (told.has(problem)) continue;
      this.logger.warn(problem === this.ownDenial ? 'credentials.own_denied' : 'credentials.own_not_allowed', {
        problem,
      });
    }
  }

  /** Those in use; undefined where none is taken. */
  get staticTokens(): readonly TokenEntry[] | undefined {
    return this.#bearerRules.rules.value.tokens;
  }

  /** What this node answers to a peer that asks whether it would be admitted with other certificates. */
  readonly judgeAdmission: JudgeAdmission = (nodeName, identity, question) =>
    judgeAdmission(nodeName, identity, question, {
      trust: this.credentials.server.value,
      admit: this.admit.value,
      outbound: this.outbound.value,
      addresses: this.directory.member(nodeName)?.addresses,
      now: new Date(),
    });

  /**
   * Takes what is configured anew, live settings only.
   * @throws credentials_invalid, config_invalid, membership_unavailable, node_closed; with nothing changed.
   */
  async adopt(configured: NodeSettings): Promise<void> {
    const next = effectiveSettings(configured, this.modeState.value.turnedAfterMs);
    const { policies, bearerRules, credentials, members } = await this.#prepare(next);
    await this.#bearerRules.commit(bearerRules);
    await this.credentials.commit(credentials);
    this.#belief.set(beliefPolicyOf(next));
    this.settings.set(next);
    policies.take();
    this.outbound.set(outboundPolicyOf(next, this.credentials));
    await this.members.commit(members);
  }

  /** All that can fail, with nothing taken; what was prepared when something does is let go. */
  async #prepare(next: NodeSettings) {
    const undo = new ClosingStack();
    try {
      const policies = await this.policies.prepare(next.authorization);
      undo.defer('policies', () => policies.discard());
      const bearerRules = await this.#bearerRules.prepare(next.authorization.bearer);
      undo.defer('bearer rules', () => this.#bearerRules.discard(bearerRules));
      // Sources of members may dial with credentials that are new too.
      const credentials = await this.credentials.prepare(next.tls, membershipCredentials(next));
      undo.defer('credentials', () => this.credentials.discard(credentials));
      const members = await this.members.prepare(next.membership);
      undo.defer('members', () => this.members.discard(members));
      checkSourcesReachable(next, members.all);
      return { policies, bearerRules, credentials, members };
    } catch (error) {
      await undo.close();
      throw error;
    }
  }
}
