import { type TestContext, test } from 'node:test';
import { LoopbackNode, mutualTls } from '../../test/kit/loopback-node.ts';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import { until } from '../../test/kit/until.ts';

const [OWN, STOLEN] = ['a', 'b'].map(digit => peerIdentity({ fingerprint256: digit.repeat(64) }));

/** Resolves when a thief of the key of node-b has said a newer generation to node-a than node-b has, which is refused. */
async function begin(t: TestContext): Promise<Record<'a' | 'real' | 'thief', LoopbackNode>> {
  const start = async (name: string, generation?: number) => {
    const node = await LoopbackNode.start({ name, ...(generation === undefined ? {} : { generation }) });
    t.after(() => node[Symbol.asyncDispose]());
    return node;
  };
  const nodes = { a: await start('node-a'), real: await start('node-b', 1), thief: await start('node-b', 2) };
  const { a, real, thief } = nodes;
  a.inbound = real.outbound = thief.outbound = mutualTls();
  a.knows(real);
  a.identity = STOLEN;
  thief.knows(a).streams.start();
  await until('the thief is connected', () => a.peer('node-b')?.generation === 2);
  return nodes;
}

async function isRefused({ a, real }: Record<'a' | 'real', LoopbackNode>): Promise<void> {
  a.identity = OWN;
  real.knows(a).streams.start();
  await until('the real one is refused', () => real.peer('node-a')?.reason === 'stale_generation');
}

async function isConnected({ a, real }: Record<'a' | 'real', LoopbackNode>): Promise<void> {
  await until(
    'the real one is connected',
    () => a.peer('node-b')?.generation === 1 && real.peer('node-a')?.state === 'connected',
  );
}

test('who said a newer generation with a stolen key locks its owner out no longer than until that is denied', async t => {
  const { a, real, thief } = await begin(t);
  await thief.streams.close();
  await until('the thief is gone', () => a.peer('node-b')?.state !== 'connected');
  await isRefused({ a, real });
  a.denied.push(STOLEN?.fingerprint256 ?? '');
  a.streams.judgeProofs();
  await isConnected({ a, real });
});

test('nor than until its connection is withdrawn as revoked', async t => {
  const { a, real, thief } = await begin(t);
  await isRefused({ a, real });
  // It dials no more.
  await thief.streams.announceDraining(0);
  a.streams.endWhere(() => true, 'certificate_revoked');
  await isConnected({ a, real });
});
