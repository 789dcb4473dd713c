import * as http from 'node:http';
import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import { formatHostPort, type TcpAddress } from '../identity/address.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface Readiness {
  readonly ready: boolean;
  /** One word a line: what is and what is not. Holds no address and no peer's name. */
  readonly detail: string;
}

/** The HTTP side listener for probes and scrapers: `/healthz`, `/readyz`, `/metrics`, and nothing else. */
export interface ObservabilityServer {
  /** Such as `http://127.0.0.1:9464`. */
  readonly url: string;
  close(): Promise<void>;
}

/** @throws address_in_use, listen_failed */
export async function startObservabilityServer(parts: {
  readonly address: TcpAddress;
  readonly metrics: Metrics;
  readonly readiness: () => Readiness;
}): Promise<ObservabilityServer> {
  const server = http.createServer((request, response) => {
    answer(request, parts).then(
      ({ status, type, body }) => {
        const headers = {
          'content-type': type,
          'cache-control': 'no-store',
          ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
        };
        response.writeHead(status, headers);
        response.end(request.method === 'HEAD' ? '' : body);
      },
      () => response.writeHead(500).end(),
    );
  });
  // A scraper that stalls holds nothing up for long.
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  const port = await listen(server, parts.address);
  return {
    url: `http://${formatHostPort({ ...parts.address, port })}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

async function answer(
  request: http.IncomingMessage,
  parts: { metrics: Metrics; readiness: () => Readiness },
): Promise<Answer> {
  const path = (request.url ?? '/').split('?')[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'only GET and HEAD');
  switch (path) {
    case '/healthz':
      return plain(200, 'ok');
    case '/readyz': {
      const { ready, detail } = parts.readiness();
      return plain(ready ? 200 : 503, detail);
    }
    case '/metrics':
      return { status: 200, type: parts.metrics.contentType, body: await parts.metrics.expose() };
    default:
      return plain(404, 'there is /healthz, /readyz and /metrics');
  }
}

function plain(status: number, text: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n` };
}

function listen(server: http.Server, address: TcpAddress): Promise<number> {
  const text = formatHostPort(address);
  return new Promise((resolve, reject) => {
    server.once('error', error => {
      const inUse = 'code' in error && error.code === 'EADDRINUSE';
      reject(
        inUse
          ? new SelvedgeError('address_in_use', `observability: ${text} is in use by another process`, {
              address: text,
            })
          : new SelvedgeError('listen_failed', `observability: cannot listen on ${text}: ${messageOf(error)}`, {
              address: text,
              problem: messageOf(error),
            }),
      );
    });
    server.listen({ host: address.host, port: address.port }, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : address.port);
    });
  });
}
