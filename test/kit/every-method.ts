import * as grpc from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { helloOf } from './raw-peer.ts';
import { ReflectionClient, reflectionMethods } from './reflection-client.ts';

/** What is sent to each method of a node by tests that call them all. A new method needs a line here. */
const REQUESTS: Readonly<Record<string, (caller: { readonly claims: string }) => readonly object[]>> = {
  'grpc.health.v1.Health/Check': () => [{ service: '' }],
  'grpc.health.v1.Health/Watch': () => [{ service: 'no.such.Service' }],
  'grpc.health.v1.Health/List': () => [{}],
  'grpc.reflection.v1.ServerReflection/ServerReflectionInfo': () => REFLECTED,
  'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': () => REFLECTED,
  'selvedge.fabric.v1.Fabric/Connect': ({ claims }) => [helloAsDescribed(claims)],
  'selvedge.fabric.v1.Fabric/Introduce': ({ claims }) => [{ nodeName: claims }, {}],
  'selvedge.control.v1.NodeControl/GetStatus': () => [{}],
  'selvedge.control.v1.NodeControl/ListConnections': () => [{}],
  'selvedge.control.v1.NodeControl/GetTlsState': () => [{}],
  'selvedge.control.v1.NodeControl/GetCaState': () => [{}],
  'selvedge.control.v1.NodeControl/CheckMode': () => MODES,
  'selvedge.control.v1.NodeControl/GetShadowReport': () => [{}],
  'selvedge.control.v1.NodeControl/Explain': () => [{ nodeName: 'node-2' }, { connectionId: 1 }, {}],
  'selvedge.control.v1.NodeControl/ReloadTls': () => [{}],
  'selvedge.control.v1.NodeControl/Drain': () => [{}],
  'selvedge.control.v1.ClusterControl/GetClusterStatus': () => [{}],
  'selvedge.control.v1.ClusterControl/ListNodes': () => [{}],
  'selvedge.control.v1.ClusterControl/GetCaStatus': () => [{}],
  'selvedge.control.v1.ClusterControl/Preflight': () => MODES,
  'selvedge.control.v1.ClusterControl/AddNode': () => [{ nodeName: 'node-9' }, {}],
  'selvedge.control.v1.ClusterControl/RemoveNode': () => NAMES,
  'selvedge.control.v1.ClusterControl/DrainNode': () => NAMES,
  'selvedge.control.v1.ClusterControl/TerminateNode': () => NAMES,
};

/** The reader of descriptors takes a map for a list of entries. */
function helloAsDescribed(claims: string): object {
  const { hello } = helloOf(claims, { clusterName: 'dev' });
  return { hello: { ...hello, introduction: { ...hello?.introduction, labels: [] } } };
}

const MODES = ['plain', 'optional', 'strict', 'no such mode'].map(to => ({ to }));
const NAMES = [{ nodeName: 'node-9' }, { nodeName: 'no such name' }];
const REFLECTED = [
  { listServices: '*' },
  { fileContainingSymbol: 'selvedge.control.v1.NodeControl' },
  { fileByFilename: 'no/such.proto' },
];

export interface ServedMethod {
  /** `package.Service/Method` */
  readonly name: string;
  readonly definition: grpc.MethodDefinition<object, object>;
  /** @throws where nobody wrote down what to send. */
  readonly requests: (caller: { readonly claims: string }) => readonly object[];
}

/** Every method that a server serves, as its reflection describes them, and those of reflection itself, which it does not list. */
export async function everyMethodOf(client: grpc.Client): Promise<readonly ServedMethod[]> {
  using reflection = new ReflectionClient(client);
  const { listServicesResponse } = await reflection.ask({ listServices: '*' });
  const served: ServedMethod[] = [];
  for (const { name: service } of listServicesResponse?.service ?? []) {
    const { fileDescriptorResponse } = await reflection.ask({ fileContainingSymbol: service });
    const files = fileDescriptorResponse?.fileDescriptorProto ?? [];
    const options = { longs: Number, defaults: true, oneofs: true };
    const definition = loadFileDescriptorSetFromBuffer(descriptorSet(files), options)[service];
    if (definition === undefined || 'format' in definition) throw new Error(`reflection does not describe ${service}`);
    for (const method of Object.values(definition)) served.push(servedMethod(method));
  }
  return [...served, ...reflectionMethods().map(servedMethod)];
}

function servedMethod(definition: grpc.MethodDefinition<object, object>): ServedMethod {
  const name = definition.path.slice(1);
  return {
    name,
    definition,
    requests: caller => {
      const requests = REQUESTS[name];
      if (requests === undefined)
        throw new Error(`${name} is served, and test/kit/every-method.ts says no request for it`);
      return requests(caller);
    },
  };
}

/** A `FileDescriptorSet`: each file with tag 1 and its length before it. */
function descriptorSet(files: readonly Buffer[]): Buffer {
  return Buffer.concat(files.flatMap(file => [Buffer.from([0x0a, ...varint(file.length)]), file]));
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 0x80))];
}

/** All that a caller got for its requests to one method. */
export interface Heard {
  readonly answers: readonly { readonly message: object; readonly bytes: Buffer }[];
  readonly status: grpc.StatusObject;
}

/** A message that no protobuf reader takes: who may not call is denied before it is looked at, others get `INTERNAL`. */
export const MALFORMED: object = { malformed: true };

/** One call with these requests. A stream is left as soon as there is an answer to each of them. */
export function hear(
  client: grpc.Client,
  { path, requestSerialize, responseDeserialize, responseStream, requestStream }: grpc.MethodDefinition<object, object>,
  requests: readonly object[],
): Promise<Heard> {
  const call = client.makeBidiStreamRequest<object, Heard['answers'][number]>(
    path,
    request => (request === MALFORMED ? Buffer.from([0xff]) : requestSerialize(request)),
    bytes => ({ bytes, message: responseDeserialize(bytes) }),
    new grpc.Metadata(),
    { deadline: Date.now() + 60_000 },
  );
  const answers: Heard['answers'][number][] = [];
  call.on('error', () => {});
  call.on('data', (answer: Heard['answers'][number]) => {
    answers.push(answer);
    if (responseStream && answers.length >= requests.length) call.cancel();
  });
  for (const request of requests) call.write(request);
  if (!requestStream) call.end();
  return new Promise(resolve => call.once('status', status => resolve({ answers, status })));
}

/** Each request of a method in a call of its own; where the method takes a stream, all in one. */
export async function hearAll(
  client: grpc.Client,
  { definition }: ServedMethod,
  requests: readonly object[],
): Promise<readonly Heard[]> {
  if (definition.requestStream) return [await hear(client, definition, requests)];
  return Promise.all(requests.map(request => hear(client, definition, [request])));
}
