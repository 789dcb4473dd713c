import { SelvedgeError } from '../errors/selvedge-error.ts';
import { parseDnsName, parsePresentedDnsName } from '../identity/dns-name.ts';
import { parseIpAddress } from '../identity/ip-address.ts';
import { parseNodeName } from '../identity/node-name.ts';
import { parseSpiffeId } from '../identity/spiffe-id.ts';
import type { CertificateRequest } from './issue.ts';

export interface NodeCertificateOptions {
  /** Becomes the SPIFFE trust domain: lower-case letters, digits, `.`, `-`, `_`. */
  readonly clusterName: string;
  readonly nodeName: string;
  /** Host names and IP addresses under which the node is dialled, without port. */
  readonly hosts: readonly string[];
  /** Adds `localhost`, `127.0.0.1` and `::1`. Default false. */
  readonly localhost?: boolean;
}

export interface AdminCertificateOptions {
  readonly clusterName: string;
  /** Letters, digits, `.`, `-`, `_`, at most 63. */
  readonly adminName: string;
}

const ADMIN_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,63}$/;

/**
 * What the certificate of a node says: CN and, where it can be one, a DNS name equal to the node's name, the URI
 * `spiffe://{clusterName}/fabric/{nodeName}`, and its hosts; for TLS server and client. Throws `node_name_invalid`, and
 * `usage` for a cluster name or host that cannot stand in a certificate.
 */
export function nodeCertificateRequest(options: NodeCertificateOptions): CertificateRequest {
  const nodeName = parseNodeName(options.nodeName);
  const hosts = [...options.hosts.map(parseHost), ...(options.localhost === true ? LOCAL_HOSTS : [])];
  // A few node names, such as `1` or `a..b`, are no DNS names; readers of certificates leave those out.
  const nodeDnsName = parseDnsName(nodeName) === undefined ? [] : [nodeName];
  return {
    commonName: nodeName,
    uris: [`${trustDomainUri(options.clusterName)}/fabric/${nodeName}`],
    dnsNames: unique([...nodeDnsName, ...hosts.filter(host => parseIpAddress(host) === undefined)]),
    ipAddresses: unique(hosts.filter(host => parseIpAddress(host) !== undefined)),
    usage: 'both',
  };
}

/**
 * What the certificate of an operator says: CN and the URI `spiffe://{clusterName}/admin/{adminName}`, for TLS client
 * alone. Throws `usage` for a name that cannot stand in a SPIFFE ID.
 */
export function adminCertificateRequest(options: AdminCertificateOptions): CertificateRequest {
  const { clusterName, adminName } = options;
  if (!ADMIN_NAME.test(adminName)) {
    throw usageError(`The admin name ${JSON.stringify(adminName)} is not 1 to 63 letters, digits, '.', '-' or '_'.`);
  }
  return { commonName: adminName, uris: [`${trustDomainUri(clusterName)}/admin/${adminName}`], usage: 'client' };
}

/** `spiffe://{clusterName}`, the SPIFFE ID of the trust domain. Throws `usage` for a name that cannot be one. */
export function trustDomainUri(clusterName: string): string {
  const uri = `spiffe://${clusterName}`;
  if (parseSpiffeId(uri)?.trustDomain !== clusterName) {
    throw usageError(
      `The cluster name ${JSON.stringify(clusterName)} cannot be a SPIFFE trust domain; use lower-case letters, digits, '.', '-' and '_'.`,
    );
  }
  return uri;
}

const LOCAL_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '::1'];

/** Takes IPv6 addresses with and without brackets. */
function parseHost(host: string): string {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  const address = parseIpAddress(bare);
  if (address !== undefined) return address.text;
  if (parsePresentedDnsName(host) !== undefined) return host;
  throw usageError(`${JSON.stringify(host)} is neither a host name nor an IP address; give it without a port.`);
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function usageError(problem: string): SelvedgeError<'usage'> {
  return new SelvedgeError('usage', problem, { problem });
}
