import { isDeepStrictEqual } from 'node:util';
import type * as grpc from '@grpc/grpc-js';
import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import type { Messages } from '../messaging/messages.ts';
import { keepHeadersOutOfGrpcLog } from '../rpc/grpc-log.ts';
import { createLogger, type Logger } from '../telemetry/logger.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { type ClientConstructor, type MemberSelector, memberClient, selectorClient } from './member-clients.ts';
import type { Members } from './members.ts';
import type { ModeWatch } from './mode-watch.ts';
import type { FabricNodeOptions } from './node-options.ts';
import { NodeParts } from './node-parts.ts';
import { type ApplicationService, type NodeReady, NodeServer } from './node-server.ts';
import type { NodeSettings } from './node-settings.ts';
import type { TakeAuditRecord } from './open-audit.ts';
import { membershipCredentials } from './open-etcd.ts';
import { checkLiveOnly, resolveOrThrow } from './reload-options.ts';
import { servedMethods } from './served-methods.ts';
import { watchMode } from './watch-mode.ts';

export type { ClientConstructor, MemberSelector } from './member-clients.ts';
export type { ApplicationService, NodeReady } from './node-server.ts';

/** Collaborators of a node; each has a default. */
export interface FabricNodeParts {
  /** Default: JSON lines on standard output at the configured level. */
  readonly logger?: Logger;
  /** Default: a registry of its own, without the metrics of the process. */
  readonly metrics?: Metrics;
  /** Takes the records of the audit trail, which then are not in the log. Called in the turn of each decision: it must not wait. */
  readonly audit?: TakeAuditRecord;
  /** gRPC services of the application, served beside those of the node. */
  readonly services?: readonly ApplicationService[];
}

/** What a reload did. */
export interface ReloadReport {
  /** `ok`: other options or other credentials were taken. `failed`: the options are the same, the credentials no good. */
  readonly result: 'ok' | 'unchanged' | 'failed';
  /** How reading the credentials again went. `failed` beside an `ok`: the options hold, with the last good credentials. */
  readonly credentials: 'ok' | 'unchanged' | 'failed';
  /** What is wrong with the credentials; empty unless those failed. */
  readonly problems: readonly string[];
}

/**
 * One node of the fabric: its listeners, its connections to the other members, and the services on both.
 *
 * N1. `start` resolves when the node serves, or rejects having closed everything it opened.
 * N2. Options are taken as a whole or not at all. Credentials from a source that stays hold nothing up when they are no
 *     good: who may connect is not for a broken certificate to decide. A source that is new must be readable.
 * N3. `drain` refuses new work, lets running calls finish until the drain timeout, and ends with everything closed;
 *     `close` does the same without waiting for calls. Both may be called more than once.
 */
export class FabricNode implements AsyncDisposable {
  readonly ready: NodeReady;
  /** The other nodes: whether they live, and events when that changes. */
  readonly members: Members;
  /** Resolves when the node has closed, whoever asked for it. */
  readonly closed: Promise<void>;
  readonly #parts: NodeParts;
  readonly #server: NodeServer;
  #options: FabricNodeOptions;
  #ending: Promise<void> | undefined;
  #configured: NodeSettings;
  readonly #mode: ModeWatch;
  #changing: Promise<unknown> = Promise.resolve();
  #resolveClosed: () => void = () => {};

  /**
   * @throws config_invalid (all mistakes at once), credentials_invalid, data_dir_locked, data_dir_unusable,
   * address_in_use, listen_failed
   */
  static async start(options: FabricNodeOptions, parts: FabricNodeParts = {}): Promise<FabricNode> {
    const { settings, warnings } = resolveOrThrow(options);
    keepHeadersOutOfGrpcLog();
    const logger = parts.logger ?? createLogger({ level: settings.logLevel });
    for (const warning of warnings)
      logger.warn('config.warning', { key: warning.path.join('.'), problem: warning.problem });
    const services = parts.services ?? [];
    const methods = servedMethods(services.map(({ definition }) => definition));
    const nodeParts = await NodeParts.open(settings, logger, parts.metrics ?? createMetrics(), methods, parts.audit);
    try {
      const server = new NodeServer(nodeParts, services);
      const node = new FabricNode(options, settings, nodeParts, server, await server.start());
      server.onDrainRequested = () => void node.drain();
      logger.info('node.ready', { ...node.ready });
      return node;
    } catch (error) {
      await nodeParts.closing.close();
      throw error;
    }
  }

  private constructor(
    options: FabricNodeOptions,
    configured: NodeSettings,
    parts: NodeParts,
    server: NodeServer,
    ready: NodeReady,
  ) {
    this.#options = options;
    this.#configured = configured;
    this.#parts = parts;
    this.#server = server;
    this.ready = ready;
    this.members = server.members;
    this.#mode = watchMode(parts, server, {
      configured: () => this.#configured,
      turn: () => this.#inOrder(() => this.#adopt(this.#configured)),
    });
    this.closed = new Promise(resolve => {
      this.#resolveClosed = resolve;
    });
    const followOwn = () => {
      if (parts.members.own.value === 'terminating') void this.drain();
    };
    parts.closing.defer('own standing', parts.members.own.subscribe(followOwn));
    // It may have come while the node started.
    followOwn();
  }

  /**
   * A client of another node: any generated grpc-js client class. It survives rotation, mode changes, moves and
   * restarts of the other side; a call waits for a connection up to its deadline or the hold timeout. Clients of one node
   * share a connection: closing one ends its further calls and nothing else. Unary calls go over the peer stream where one
   * is open that takes them, which costs about a tenth where many are in flight; see docs/messages.md.
   * @param target the name of another node, or labels: then each call goes to a ready member that has them all, in turn and
   * by weight; to none that is suspect (see {@link members}) while there is another, and to none that drains by the word of
   * the membership source while there is another. `preferZone` keeps calls in a zone while one of its members is ready and
   * not suspect. Never this node itself.
   */
  client<Client extends grpc.Client>(Constructor: ClientConstructor<Client>, target: string | MemberSelector): Client {
    const { connector } = this.#parts;
    const { exchange } = this.#server;
    const unary = (name: string) => exchange.unaryChannel(name, connector.channel(name));
    if (typeof target === 'string') return memberClient(Constructor, target, connector.channel(target), unary(target));
    return selectorClient(Constructor, { connector, unary, candidates: () => this.#server.candidates() }, target);
  }

  /** Messages to and from the other nodes, and this one. */
  get messages(): Messages {
    return this.#server.exchange.messages;
  }

  /**
   * Reads credentials again, and takes `next` options where they are given. Only `networking.tls`, `membership`,
   * `authorization` and `logLevel` can change; the members file is watched and needs no reload.
   * @throws restart_required, config_invalid, credentials_invalid, membership_unavailable; then nothing was taken.
   */
  reload(next?: FabricNodeOptions): Promise<ReloadReport> {
    return this.#inOrder(() => this.#reload(next ?? this.#options));
  }

  /** One at a time, in the order they were asked for. */
  #inOrder<Result>(change: () => Promise<Result>): Promise<Result> {
    const changed = this.#changing.then(change);
    this.#changing = changed.catch(() => {});
    return changed;
  }

  /**
   * For those who load the options themselves, as the daemon does: whether the newest ones could be taken. A problem
   * shows in `status` (the node is `degraded`) and in `selvedge_config_reload_total` until it is undefined again.
   */
  configurationProblem(problem: string | undefined): void {
    this.#parts.problems.set('configuration', problem);
    this.#parts.metrics.configReloads.inc({ result: problem === undefined ? 'ok' : 'failed' });
  }

  /** Resolves when all is closed. */
  drain(): Promise<void> {
    this.#ending ??= this.#end(this.#parts.settings.value.networking.drainTimeoutMs, true);
    return this.#ending;
  }

  close(): Promise<void> {
    this.#ending ??= this.#end(0, false);
    return this.#ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #reload(next: FabricNodeOptions): Promise<ReloadReport> {
    this.#parts.audit.reopen();
    checkLiveOnly(this.#options, next);
    const { settings } = resolveOrThrow(next);
    if (this.#ending !== undefined)
      throw new SelvedgeError('node_closed', 'the node is draining', { node: settings.nodeName });
    const isSame = isDeepStrictEqual(next, this.#options);
    // With other options, those are what somebody asked for: what stays wrong with the credentials is not said again.
    const trigger = isSame ? 'signal' : 'config';
    const { result: credentials, problems } = await this.#parts.credentials.reload(
      trigger,
      settings.tls,
      membershipCredentials(settings),
    );
    if (isSame) return { result: credentials, credentials, problems };
    await this.#adopt(settings);
    this.#options = next;
    this.#parts.logger.setLevel(settings.logLevel);
    return { result: 'ok', credentials, problems };
  }

  async #adopt(configured: NodeSettings): Promise<void> {
    await this.#parts.adopt(configured);
    this.#configured = configured;
    this.#server.enforceMode();
    this.#mode.look();
  }

  /** @param isLeaving its registrations go with it where that is configured. */
  async #end(graceMs: number, isLeaving: boolean): Promise<void> {
    const { logger, settings } = this.#parts;
    this.#mode.close();
    logger.info('node.draining', { node: settings.value.nodeName, graceMs });
    try {
      await this.#server.stop(graceMs);
      if (isLeaving) await this.#parts.members.membership.leave();
      await this.#parts.closing.close();
      // A change that was under way has failed by that, and has let go of what it had opened.
      await this.#changing;
    } catch (error) {
      logger.error('node.close_failed', { problem: messageOf(error) });
    }
    logger.info('node.closed', { node: settings.value.nodeName });
    this.#resolveClosed();
  }
}
