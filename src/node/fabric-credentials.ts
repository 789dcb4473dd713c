import type * as grpc from '@grpc/grpc-js';
import { rolesOf } from '../authorization/admission.ts';
import {
  type ChannelSecurity,
  type DialListener,
  FabricChannelCredentials,
} from '../connector/fabric-channel-credentials.ts';
import { judgeServer } from '../connector/judge-server.ts';
import { OutboundConnections } from '../connector/outbound-connections.ts';
import { describeProblems } from '../credentials/credential-problem.ts';
import type { CredentialsStore } from '../credentials/credentials-store.ts';
import { isSelvedgeError, messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { formatAddress, parseAddress } from '../identity/address.ts';
import { denialOf } from '../identity/denied-certificate.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { FabricServerCredentials } from '../listener/fabric-server-credentials.ts';
import type { Admit } from '../listener/listener-policy.ts';
import { type Logger, silentLogger } from '../telemetry/logger.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { checkOptionShapes } from './check-option-shapes.ts';
import { CredentialSet, type CredentialsReload } from './credential-set.ts';
import type { FabricCredentialsOptions } from './fabric-credentials-options.ts';
import type { TlsSettings } from './node-settings.ts';
import { OptionProblems } from './option-problems.ts';
import { CREDENTIALS_OPTIONS } from './option-shapes.ts';
import { ownDenial } from './own-denial.ts';
import { resolveTls } from './resolve-tls.ts';

type MutualTlsSecurity = Required<Extract<ChannelSecurity, { kind: 'mutual_tls' }>>;

/** What is shown and trusted now. */
export interface CredentialsInfo {
  /** Grows by one with each set of files that was taken; 1 is the first. */
  readonly generation: number;
  /** Names, fingerprint and validity of our own certificate. */
  readonly identity: PeerIdentity;
  readonly loadedAt: Date;
  /** What is odd about the files or the deny list but stops nothing. */
  readonly warnings: readonly string[];
  /** Why the files as they lie now cannot be used and the last good set stays; undefined when all is well. */
  readonly problem: string | undefined;
}

/** Credentials for grpc-js servers and clients that somebody else makes. Close them after both. */
export interface FabricCredentials extends AsyncDisposable {
  /**
   * For any number of `Server.bindAsync`: mutual TLS in which only clients with an allowed subject name reach a
   * handler; there `callerOf(call)` says who it is. Other calls end with UNAUTHENTICATED or PERMISSION_DENIED.
   */
  readonly server: grpc.ServerCredentials;
  /**
   * For any number of clients: shows our certificate, and verifies the server's chain and name. A connection whose server
   * would be refused now, or whose certificate ends, is closed at once, since its client cannot be kept from calls.
   */
  readonly channel: grpc.ChannelCredentials;
  readonly info: CredentialsInfo;
  /** Reads the files again, which are watched anyway. Never rejects: files that cannot be used change nothing. */
  reload(): Promise<CredentialsReload>;
  /** Stops watching. Servers and clients go on with the last good set. */
  close(): Promise<void>;
}

/**
 * Opens a set of credential files for use with a bare grpc-js `Server` and `Client`, and keeps both fresh: every new
 * connection shows and trusts the newest files, and connections whose certificate they no longer vouch for are closed.
 * @throws config_invalid (all mistakes at once), credentials_invalid
 */
export async function openFabricCredentials(options: FabricCredentialsOptions): Promise<FabricCredentials> {
  const tls = resolve(options);
  const logger = options.logger ?? silentLogger;
  const metrics = options.metrics ?? createMetrics();
  const credentials = new CredentialSet(logger, metrics);
  await credentials.adopt(tls);
  const store = credentials.storeOf(tls.serverCredentials);
  const { minVersion, handshakeTimeoutMs, withdrawalGraceMs, serverSubjectNames } = tls;
  const trust = store.snapshot;
  const admit = admitting(tls);
  const deadlines = { handshakeTimeoutMs, withdrawalGraceMs };
  const server = new FabricServerCredentials({ trust, minVersion, ...deadlines, admit, logger, metrics });
  const expectation =
    serverSubjectNames.length === 0
      ? ({ kind: 'host' } as const)
      : ({ kind: 'names', patterns: serverSubjectNames } as const);
  const security = {
    kind: 'mutual_tls',
    trust,
    minVersion,
    expectation,
    denied: tls.deniedCertificates,
  } as const satisfies ChannelSecurity;
  const dialled = dialledUnder(security, logger, metrics);
  const channel = new FabricChannelCredentials({
    security,
    timeoutMs: handshakeTimeoutMs,
    listener: reportingDials(dialled, logger, metrics),
  });
  const stopReviews = trust.subscribe(() => void dialled.review());
  const close = () => {
    server.close();
    stopReviews();
    dialled.close();
    return credentials.close();
  };
  return {
    server,
    channel,
    get info() {
      return infoOf(store, ownDenial(tls.deniedCertificates, credentials.used));
    },
    reload: () => credentials.reload('admin'),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Where the options of a node have what is at the top here. */
const TLS = ['networking', 'tls'];

/** The rules are those of a node whose mode is strict; only the names of the options are shorter. */
function resolve(options: FabricCredentialsOptions): TlsSettings {
  const shaped = new OptionProblems();
  const isOfKind = checkOptionShapes(options, CREDENTIALS_OPTIONS, shaped);
  const found = new OptionProblems();
  const { logger: _logger, metrics: _metrics, ...tlsOptions } = options;
  if (isOfKind) {
    const tls = resolveTls({ ...tlsOptions, requireClientAuth: true }, 'strict', undefined, found);
    if (tls !== undefined && found.problems.length + shaped.problems.length === 0) return tls;
  }
  const resolved = found.problems.map(each => ({ ...each, path: each.path.slice(TLS.length) }));
  const problems = [...shaped.problems, ...resolved].map(({ path, problem, remedy }) => ({
    key: path.join('.'),
    place: 'options',
    problem,
    remedy,
  }));
  const lines = problems.map(({ key, problem, remedy }) => `${key}: ${problem} ${remedy}`.trim());
  throw new SelvedgeError('config_invalid', lines.join('\n'), { problems });
}

function admitting({ allowedSubjectNames, deniedCertificates }: TlsSettings): Admit {
  const lists = { peer: allowedSubjectNames, admin: [], observer: [] };
  return identity => {
    const denial = denialOf(deniedCertificates, identity);
    if (denial !== undefined) return { admitted: false, ...denial };
    const roles = rolesOf(lists, identity);
    if (identity !== undefined && roles.size > 0) return { admitted: true, roles };
    return { admitted: false, reason: 'subject_not_allowed', detail: 'no allowed subject name matches' };
  };
}

/** What all channels dialled together; judged as at the dial. */
function dialledUnder(
  { trust, expectation, denied }: MutualTlsSecurity,
  logger: Logger,
  metrics: Metrics,
): OutboundConnections {
  return new OutboundConnections({
    metrics,
    logger,
    judge: ({ address }, chain) => {
      const target = parseAddress(address);
      if (target.kind === 'unix') return undefined;
      return judgeServer(chain, { trust: trust.value, expectation, denied, host: target.host }, new Date());
    },
    graceMs: () => 0,
  });
}

function reportingDials(dialled: OutboundConnections, logger: Logger, metrics: Metrics): DialListener {
  return {
    connected: (socket, { security, identity, address }) => {
      const facts = { nodeName: '', address: formatAddress(address), security, identity };
      // Who dials anew is grpc-js: it does when the socket is gone.
      dialled.add(socket, facts, { withdraw: () => socket.destroy(), renew: () => {} });
    },
    failed: error => {
      const detail = messageOf(error);
      if (!isSelvedgeError(error, 'refused')) return logger.warn('dial.failed', { direction: 'outbound', detail });
      metrics.connectionsRefused.inc({ reason: error.facts.reason });
      logger.warn('connection.refused', { direction: 'outbound', ...error.facts });
    },
  };
}

function infoOf({ snapshot, state }: CredentialsStore, denial: string | undefined): CredentialsInfo {
  const { generation, own, loadedAt } = snapshot.value;
  const { problems, warnings } = state.value;
  return {
    generation,
    identity: own.identity,
    loadedAt,
    warnings: denial === undefined ? warnings : [...warnings, `deniedCertificates: ${denial}`],
    problem: problems.length === 0 ? undefined : describeProblems(problems),
  };
}
