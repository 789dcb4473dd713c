import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { HealthImplementation, service as healthDefinition } from 'grpc-health-check';
import { callAs } from '../../test/kit/call-as.ts';
import { ReflectionClient } from '../../test/kit/reflection-client.ts';
import { addStandardServices, type StandardServices } from './standard-services.ts';

const greeter = fromJSON({
  nested: {
    demo: {
      nested: {
        Greeting: { fields: { text: { type: 'string', id: 1 } } },
        Greeter: { methods: { Greet: { requestType: 'Greeting', responseType: 'Greeting', comment: '' } } },
      },
    },
  },
})['demo.Greeter'] as grpc.ServiceDefinition;

test('reflection describes our services, health, and those of the application that know their descriptors', async t => {
  const bytes = (value: Buffer) => value;
  const codec = { requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes };
  const streaming = { requestStream: false, responseStream: false };
  const bare = { Call: { path: '/demo.Bare/Call', ...codec, ...streaming, responseDeserialize: bytes } };
  const client = await callAs(t, 'peer', server =>
    addStandardServices(server, { 'demo.Greeter': greeter, 'demo.Bare': bare }),
  );
  using reflection = new ReflectionClient(client);
  const { listServicesResponse } = await reflection.ask({ listServices: '*' });
  const names = listServicesResponse?.service.map(({ name }) => name) ?? [];
  assert.deepEqual(names.toSorted(), [
    'demo.Greeter',
    'grpc.health.v1.Health',
    'selvedge.control.v1.ClusterControl',
    'selvedge.control.v1.NodeControl',
    'selvedge.fabric.v1.Fabric',
  ]);
  for (const symbol of [...names, 'demo.Greeting', 'grpc.health.v1.HealthCheckRequest']) {
    const { fileDescriptorResponse } = await reflection.ask({ fileContainingSymbol: symbol });
    assert.equal(fileDescriptorResponse?.fileDescriptorProto.length, 1, symbol);
  }
});

test('of a service that is not there nothing is kept, and its name is not repeated', async t => {
  const watched = t.mock.method(HealthImplementation.prototype as unknown as { addWatcher(): void }, 'addWatcher');
  let services: StandardServices | undefined;
  const client = await callAs(t, 'anonymous', server => {
    services = addStandardServices(server, {});
  });
  const ask = (name: string) =>
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      methodOf('Check').requestSerialize,
      methodOf('Check').responseDeserialize,
      { service: name },
      () => {},
    );
  const status = (call: EventEmitter) => new Promise<grpc.StatusObject>(resolve => call.once('status', resolve));
  const missing = await status(ask('acme.Missing'));
  assert.deepEqual([missing.code, missing.details.includes('acme')], [grpc.status.NOT_FOUND, false]);

  const watch = (name: string) => {
    const { path, requestSerialize, responseDeserialize } = methodOf('Watch');
    const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: name });
    call.on('error', () => {});
    t.after(() => call.cancel());
    return call;
  };
  const next = async (call: EventEmitter) => (await once(call, 'data'))[0].status;
  assert.equal(await next(watch('acme.Missing')), 'SERVICE_UNKNOWN');
  assert.equal((await status(watch('a'.repeat(1_000)).resume())).code, grpc.status.INVALID_ARGUMENT);
  assert.equal(watched.mock.callCount(), 0);

  const known = watch('selvedge.fabric.v1.Fabric');
  assert.equal(await next(known), 'NOT_SERVING');
  services?.setServing(true);
  assert.equal(await next(known), 'SERVING');
});

function methodOf(name: string) {
  return healthDefinition[name] ?? assert.fail(name);
}
