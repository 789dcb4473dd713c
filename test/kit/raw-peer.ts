import * as grpc from '@grpc/grpc-js';
import { connectMethod, type Frame, fabricDefinition, type WireIntroduction } from '../../src/messaging/frame.ts';
import { listen } from './loopback-node.ts';

/** What a well-behaved node says of itself. */
export function introductionOf(nodeName: string, changes: Partial<WireIntroduction> = {}): WireIntroduction {
  return {
    clusterName: 'test',
    nodeName,
    generation: 1,
    advertisedAddresses: ['http://127.0.0.1:5122'],
    mode: 'plain',
    labels: {},
    version: '0.0.0',
    serverCertificateSha256: '',
    zone: '',
    weight: 1,
    ...changes,
  };
}

export function helloOf(nodeName: string, changes: Partial<WireIntroduction> = {}, protocolMax = 1): Frame {
  return { hello: { introduction: introductionOf(nodeName, changes), protocolMin: 1, protocolMax } };
}

/** A call of `Fabric.Connect` that sends only what it is told to. Ended by whoever uses it. */
export class RawDialler {
  readonly call: grpc.ClientDuplexStream<Frame, Frame>;
  readonly frames: Frame[] = [];
  status: grpc.StatusObject | undefined;
  readonly #client: grpc.Client;

  constructor(port: number) {
    this.#client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = connectMethod;
    this.call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new grpc.Metadata());
    this.call.on('error', () => {});
    this.call.on('status', (status: grpc.StatusObject) => {
      this.status = status;
    });
  }

  read(): this {
    this.call.on('data', (frame: Frame) => this.frames.push(frame));
    return this;
  }

  [Symbol.dispose](): void {
    this.call.cancel();
    this.#client.close();
  }
}

/** A server that hands every call of `Fabric.Connect` to `handle` and does nothing else. */
export async function rawAcceptor(
  handle: (call: grpc.ServerDuplexStream<Frame, Frame>) => void,
): Promise<{ readonly port: number } & Disposable> {
  const server = new grpc.Server();
  server.addService(fabricDefinition, { Connect: handle });
  const port = await listen(server);
  return { port, [Symbol.dispose]: () => server.forceShutdown() };
}
