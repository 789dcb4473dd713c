import { join, resolve } from 'node:path';
import { MAX_SOCKET_PATH_BYTES, parseAddress, type TcpAddress } from '../identity/address.ts';
import { DEFAULT_WEIGHT, MAX_WEIGHT, problemOfLabel, problemOfZone } from '../identity/node-labels.ts';
import { parseNodeName } from '../identity/node-name.ts';
import { LOG_LEVELS } from '../telemetry/logger.ts';
import { checkOptionShapes } from './check-option-shapes.ts';
import { type FabricNodeOptions, TLS_MODES, type TlsMode, type TlsOptions } from './node-options.ts';
import type { AuthorizationSettings, NodeSettings, ObservabilitySettings, OptionProblem } from './node-settings.ts';
import { OptionProblems } from './option-problems.ts';
import { NODE_OPTIONS } from './option-shapes.ts';
import { resolveAudit } from './resolve-audit.ts';
import { resolveBearer } from './resolve-bearer.ts';
import { resolveMembership } from './resolve-membership.ts';
import { resolvePatterns } from './resolve-names.ts';
import { resolveNetworking } from './resolve-networking.ts';
import { judgeTurn } from './resolve-plaintext-deadline.ts';
import { resolveTls } from './resolve-tls.ts';

export type { NodeSettings, OptionProblem } from './node-settings.ts';

export type ResolvedOptions =
  | { readonly settings: NodeSettings; readonly warnings: readonly OptionProblem[] }
  | { readonly problems: readonly OptionProblem[] };

const MAX_NAME_LENGTH = 128;

/**
 * The settings that `options` mean, or everything that is wrong with them, at once; where a value is not even of the kind
 * that its option takes, what is wrong with names and kinds. Looks at no file: what the certificates hold is the business of whoever loads them.
 */
export function resolveNodeOptions(options: FabricNodeOptions): ResolvedOptions {
  const found = new OptionProblems();
  if (!checkOptionShapes(options, NODE_OPTIONS, found)) return { problems: found.problems };
  const tlsOptions = options.networking?.tls;
  const mode = modeOf(tlsOptions, found);
  const nodeName = resolveNodeName(options.nodeName, found);
  const networking = resolveNetworking(options.networking ?? {}, mode, found);
  const tls = tlsOptions === undefined ? undefined : resolveTls(tlsOptions, mode, nodeName, found);
  if (tls?.plaintextDeadline !== undefined && networking !== undefined) judgeTurn(networking, found);
  const settings = {
    clusterName: resolveClusterName(options.clusterName, found),
    nodeName: nodeName ?? '',
    dataDir: resolve(found.required(['dataDir'], options.dataDir, 'where the node may keep its files')),
    adminSocket: resolveAdminSocket(options, found),
    labels: resolveLabels(options.labels ?? {}, found),
    zone: resolveZone(options.zone, found),
    weight: found.count(['weight'], options.weight ?? DEFAULT_WEIGHT, 0, MAX_WEIGHT),
    logLevel: found.oneOf(['logLevel'], options.logLevel ?? 'info', LOG_LEVELS) ?? 'info',
    membership: resolveMembership(
      options.membership,
      { clusterName: options.clusterName ?? '', tls: tlsOptions },
      found,
    ),
    authorization: resolveAuthorization(options, mode, found),
    audit: resolveAudit(options.audit ?? {}, found),
    observability: resolveObservability(options, found),
  };
  if (found.problems.length > 0 || networking === undefined || mode === undefined) return { problems: found.problems };
  return { settings: { ...settings, mode, networking, tls }, warnings: found.warnings };
}

/** Undefined where it is no mode: then no rule about modes is judged. */
function modeOf(tls: TlsOptions | undefined, found: OptionProblems): TlsMode | undefined {
  if (tls === undefined) return 'plain';
  return found.oneOf(['networking', 'tls', 'mode'], tls.mode ?? 'strict', TLS_MODES);
}

function resolveNodeName(name: string | undefined, found: OptionProblems): string | undefined {
  const given = found.required(['nodeName'], name, 'how this node is called, such as "node-1"');
  return given.trim() === '' ? undefined : found.parse(['nodeName'], given, parseNodeName);
}

function resolveClusterName(name: string | undefined, found: OptionProblems): string {
  const given = found.required(['clusterName'], name, 'which cluster the node belongs to');
  if (given.length > MAX_NAME_LENGTH)
    found.add(['clusterName'], `A cluster name has at most ${MAX_NAME_LENGTH} characters.`);
  return given;
}

function resolveAdminSocket({ adminSocket, dataDir }: FabricNodeOptions, found: OptionProblems): string {
  if (adminSocket !== undefined) found.required(['adminSocket'], adminSocket, 'the path of the socket');
  const path = resolve(adminSocket ?? join(dataDir ?? '', 'admin.sock'));
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_SOCKET_PATH_BYTES)
    found.add(
      adminSocket === undefined ? ['dataDir'] : ['adminSocket'],
      `The admin socket would be ${path}, which is ${bytes} bytes; the system takes at most ${MAX_SOCKET_PATH_BYTES}.`,
      'Give `adminSocket` a shorter path.',
    );
  return path;
}

function resolveLabels(
  labels: Readonly<Record<string, string>>,
  found: OptionProblems,
): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(labels)) {
    const problem = problemOfLabel(name, value);
    if (problem !== undefined) found.add(['labels', name], problem);
  }
  return labels;
}

function resolveZone(zone: string | undefined, found: OptionProblems): string | undefined {
  const problem = zone === undefined ? undefined : problemOfZone(zone);
  if (problem !== undefined) found.add(['zone'], problem);
  return zone;
}

function resolveAuthorization(
  { authorization = {} }: FabricNodeOptions,
  mode: TlsMode | undefined,
  found: OptionProblems,
): AuthorizationSettings {
  const read = (list: 'adminSubjectNames' | 'observerSubjectNames') =>
    resolvePatterns(['authorization', list], authorization[list] ?? [], found);
  const file = (option: 'policyFile' | 'shadowPolicyFile') => {
    const given = authorization[option];
    return given === undefined
      ? undefined
      : resolve(found.required(['authorization', option], given, 'which JSON file holds the policy'));
  };
  return {
    adminSubjectNames: read('adminSubjectNames'),
    observerSubjectNames: read('observerSubjectNames'),
    bearer: resolveBearer(authorization, mode, found),
    policyFile: file('policyFile'),
    shadowPolicyFile: file('shadowPolicyFile'),
  };
}

function resolveObservability(
  { observability }: FabricNodeOptions,
  found: OptionProblems,
): ObservabilitySettings | undefined {
  if (observability === undefined) return undefined;
  const path = ['observability', 'bindAddress'];
  const given = found.required(path, observability.bindAddress, 'host and port, such as "127.0.0.1:9464"');
  if (given.trim() === '') return undefined;
  const bindAddress = found.parse(path, given, parseAddress);
  if (bindAddress === undefined) return undefined;
  if (isBareHostPort(bindAddress, given)) return { bindAddress };
  found.add(path, `"${given}" is not a host and a port.`, 'Write it like "127.0.0.1:9464".');
  return undefined;
}

/** The port must be there: its default is that of the fabric. */
function isBareHostPort(address: ReturnType<typeof parseAddress>, given: string): address is TcpAddress {
  return address.kind === 'tcp' && address.scheme === undefined && /:\d+$/.test(given);
}
