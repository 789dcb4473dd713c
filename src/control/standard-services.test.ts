import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as grpc from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { callAs } from '../../test/kit/call-as.ts';
import { ReflectionClient } from '../../test/kit/reflection-client.ts';
import { addStandardServices } from './standard-services.ts';

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
