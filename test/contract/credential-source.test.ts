import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import type { CredentialSource } from '../../src/credentials/credential-source.ts';
import { loadSnapshot } from '../../src/credentials/load-snapshot.ts';
import { openCredentialSource } from '../../src/credentials/open-credential-source.ts';
import { type Authority, createAuthority } from '../../src/dev-pki/authority.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { until } from '../kit/until.ts';
import { type CredentialPlace, type MakePlace, type PemSet, PLACES } from './credential-places.ts';

// What every source of credentials promises, whatever it is.
for (const [kind, makePlace] of Object.entries(PLACES)) {
  test(`${kind}: a whole set is read, intermediates and all`, async t => {
    const { source, makeSet, publish } = await setUp(t, makePlace);
    await publish(await makeSet());
    const { result, snapshot } = await look(source);
    assert.equal(result, 'ok');
    assert.equal(snapshot?.own.identity.commonName, 'node-1');
    assert.equal(snapshot.own.intermediates.length, 1);
    assert.equal(snapshot.anchors.length, 1);
    assert.deepEqual(snapshot.own.anchors, [snapshot.anchors[0]?.identity.fingerprint256]);
    assert.equal((await loadSnapshot(source, snapshot, new Date())).result, 'unchanged');
  });

  test(`${kind}: each change is told of, and the new set is there then`, async t => {
    const { source, makeSet, publish, told } = await setUp(t, makePlace);
    await publish(await makeSet());
    await look(source);
    for (const name of ['node-2', 'node-3', 'node-4']) {
      const before = told();
      await publish(await makeSet(name));
      await until('the change is told of', async () => told() > before && (await nameIn(source)) === name);
    }
  });

  test(`${kind}: what is half-written, garbage or gone is a problem that names its place, and a whole set afterwards is seen`, async t => {
    const { place, source, makeSet, publish, told } = await setUp(t, makePlace);
    await publish(await makeSet());
    await look(source);
    const spoil = {
      half: async () => place.publishHalf(await makeSet()),
      garbage: () => place.publishGarbage(),
      gone: () => place.withdraw(),
    };
    for (const [how, doIt] of Object.entries(spoil)) {
      const before = told();
      await doIt();
      await until(`${how} is told of`, async () => told() > before && (await look(source)).result === 'failed');
      const { problems } = await look(source);
      assert.ok(
        problems.some(({ file }) => file.startsWith(place.name)),
        `${how}: ${inspect(problems)} names ${place.name}`,
      );
      assert.doesNotMatch(inspect(problems), /PRIVATE KEY-----|MIG[A-Za-z0-9+/]{8}/);
      const broken = told();
      await publish(await makeSet(`after-${how}`));
      await until('the whole set is told of', async () => told() > broken && (await nameIn(source)) === `after-${how}`);
    }
  });

  test(`${kind}: nothing is told of after close`, async t => {
    const { place, source, makeSet, publish, told } = await setUp(t, makePlace);
    await publish(await makeSet());
    await look(source);
    await source.close();
    const atClose = told();
    const other = await opened(t, place);
    await look(other.source);
    await publish(await makeSet('node-2'));
    await until('another source tells of the change', () => other.told() > 0);
    assert.equal(told(), atClose);
  });

  test(`${kind}: what was read shows where it comes from when it is printed, and not a byte of it`, async t => {
    const { place, source, makeSet, publish } = await setUp(t, makePlace);
    await publish(await makeSet());
    const reading = await source.read();
    assert.ok(reading.ok);
    const printed = inspect(reading, { depth: 10, showHidden: true }) + JSON.stringify(reading);
    assert.ok(printed.includes(place.name));
    assert.doesNotMatch(printed, /BEGIN|PRIVATE|Buffer|Uint8Array|"data"/);
  });

  test(`${kind}: the set may be missing when the source is opened, and is there when it comes`, async t => {
    const { place, source, makeSet, publish, told } = await setUp(t, makePlace);
    assert.equal((await look(source)).result, 'failed');
    await publish(await makeSet());
    // Auto has taken no place that could tell; it looks again whenever it is read.
    const isTold = () => place.spec.kind === 'auto' || told() > 0;
    await until('the set is there', async () => isTold() && (await nameIn(source)) === 'node-1');
  });
}

interface SetUp {
  readonly place: CredentialPlace;
  readonly source: CredentialSource;
  /** How often a change was told of. */
  told(): number;
  /** A new leaf of one authority, which has an intermediate. */
  makeSet(commonName?: string): Promise<PemSet>;
  publish(set: PemSet): Promise<void>;
}

let authority: Promise<Authority> | undefined;

async function setUp(t: TestContext, makePlace: MakePlace): Promise<SetUp> {
  authority ??= createAuthority({ intermediate: true });
  const { issue, anchorsPem } = await authority;
  const place = await makePlace(t);
  return {
    place,
    ...(await opened(t, place)),
    makeSet: async (commonName = 'node-1') => {
      const spiffeId = `spiffe://dev/fabric/${commonName}`;
      return { spiffeId, ...(await issue({ commonName, uris: [spiffeId] })), caPem: anchorsPem };
    },
    publish: set => place.publish(set),
  };
}

async function opened(t: TestContext, { spec }: CredentialPlace): Promise<Pick<SetUp, 'source' | 'told'>> {
  let told = 0;
  const source = await openCredentialSource(spec, {
    watch: true,
    onChange: () => {
      told += 1;
    },
    logger: silentLogger,
  });
  t.after(() => source.close());
  return { source, told: () => told };
}

async function look(source: CredentialSource) {
  const loading = await loadSnapshot(source, undefined, new Date());
  return {
    result: loading.result,
    snapshot: loading.result === 'ok' ? loading.snapshot : undefined,
    problems: loading.result === 'failed' ? loading.problems : [],
  };
}

async function nameIn(source: CredentialSource): Promise<string | undefined> {
  return (await look(source)).snapshot?.own.identity.commonName;
}
