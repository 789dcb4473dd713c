import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import { peerIdentity } from '../../test/kit/peer-identity.ts';
import type { PeerIdentity } from '../identity/peer-identity.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { ExpiryWatch } from './expiry-watch.ts';

const MINUTE_MS = 60_000;
const START_MS = Date.parse('2030-01-01T00:00:00Z');

test('each level is logged once, when it is reached, in its severity', () => {
  const { watch, passes, log, said, clock } = setUp();
  watch.followOwn([{ usage: 'server', identity: hourly('node-1') }]);
  passes(40, -1);
  assert.deepEqual(said(), []);
  const reached: [number, string, string][] = [
    [40, 'info', 'notice'],
    [50, 'warn', 'warning'],
    [55, 'error', 'critical'],
    [60, 'error', 'expired'],
  ];
  for (const [minute, severity, level] of reached) {
    passes(minute);
    assert.deepEqual(
      log.map(line => line.level),
      [severity],
    );
    assert.deepEqual(said(), [`expiring server ${level} CN=node-1`]);
    passes(minute + 4);
    assert.deepEqual(said(), [], 'nothing in between');
  }
  assert.equal(clock.timers, 0, 'what has expired is not waited for');
});

test('a line names the certificate, and nothing of it can write lines of its own', () => {
  const { watch, passes, log } = setUp();
  passes(51);
  watch.followOwn([{ usage: 'client', identity: { ...hourly('node-1'), subject: 'CN=a\nb' } }]);
  const { time: _time, ...line } = log[0] ?? {};
  assert.deepEqual(line, {
    level: 'warn',
    event: 'tls.certificate_expiring',
    usage: 'client',
    expiryLevel: 'warning',
    subject: 'CN=a\\u000ab',
    identity: 'spiffe://dev/fabric/node-1',
    fingerprint: 'node-1 0',
    expires: '2030-01-01T00:59:59.000Z',
  });
});

test('what is near its end already is told at once, at its worst level alone', () => {
  const { watch, passes, said, shown } = setUp();
  passes(56);
  watch.followOwn([{ usage: 'server', identity: hourly('node-1') }]);
  assert.deepEqual(said(), ['expiring server critical CN=node-1']);
  assert.deepEqual(shown(), ['server critical CN=node-1']);
});

test('a rotation clears what was said, and only that', async () => {
  const { watch, passes, said, shown, gauges, clock } = setUp();
  const ca = { usage: 'ca', identity: hourly('CA', 20) };
  watch.followOwn([{ usage: 'server', identity: hourly('node-1') }, ca]);
  passes(30);
  watch.followOwn([{ usage: 'server', identity: hourly('node-1', 5) }, ca]);
  assert.deepEqual(said(), [], 'of a certificate that was far from its end');
  passes(56);
  assert.deepEqual(said(), ['expiring server notice CN=node-1', 'expiring server warning CN=node-1']);
  watch.followOwn([{ usage: 'server', identity: hourly('node-1', 50) }, ca]);
  assert.deepEqual(said(), ['cleared server warning CN=node-1']);
  assert.deepEqual(shown(), []);
  assert.deepEqual(await gauges(), { 'server ends': endAfter(50), 'ca ends': endAfter(20) });
  assert.equal(clock.timers, 2);
  passes(61);
  assert.deepEqual(said(), ['expiring ca notice CN=CA'], 'the old certificate is not waited for any more');
});

test('gauges count each usage and level, show the first end, and lose a use that is gone', async () => {
  const { watch, passes, gauges } = setUp();
  const authorities = [hourly('CA-1', 10), hourly('CA-2'), hourly('CA-3')].map(identity => ({ usage: 'ca', identity }));
  watch.followOwn([{ usage: 'server', identity: hourly('node-1') }, ...authorities]);
  passes(51);
  assert.deepEqual(await gauges(), {
    'server ends': endAfter(0),
    'server warning': 1,
    'ca ends': endAfter(0),
    'ca warning': 2,
    'ca notice': 1,
  });
  watch.followOwn(authorities.slice(0, 1));
  assert.deepEqual(await gauges(), { 'ca ends': endAfter(10), 'ca notice': 1 });
  watch.followOwn([]);
  assert.deepEqual(await gauges(), {});
});

test('a level that nothing is at is shown as 0, so that an alert can end', async () => {
  const { watch, metrics } = setUp();
  watch.followOwn([{ usage: 'server', identity: hourly('node-1') }]);
  const { values } = await metrics.expiringCertificates.get();
  assert.deepEqual(
    values.map(({ labels, value }) => [labels.usage, labels.level, value]),
    ['notice', 'warning', 'critical', 'expired'].map(level => ['server', level, 0]),
  );
});

test('a certificate of a peer is one entry, whatever the number of its connections, and goes with the last of them', async () => {
  const { watch, passes, said, shown, gauges, clock } = setUp();
  const ends = [1, 2, 3].map(() => watch.followPeer(hourly('node-2')));
  const endOther = watch.followPeer(hourly('node-3', 6));
  passes(56);
  assert.deepEqual(said(), [
    'expiring peer notice CN=node-2',
    'expiring peer notice CN=node-3',
    'expiring peer warning CN=node-2',
    'expiring peer critical CN=node-2',
    'expiring peer warning CN=node-3',
  ]);
  assert.deepEqual(await gauges(), { 'peer ends': endAfter(0), 'peer critical': 1, 'peer warning': 1 });
  ends[0]?.();
  ends[1]?.();
  assert.deepEqual(shown(), ['peer critical CN=node-2', 'peer warning CN=node-3'], 'the first to end comes first');
  ends[2]?.();
  assert.deepEqual(shown(), ['peer warning CN=node-3']);
  assert.deepEqual(await gauges(), { 'peer ends': endAfter(6), 'peer warning': 1 });
  endOther();
  assert.deepEqual(await gauges(), {});
  assert.equal(clock.timers, 0);
  assert.deepEqual(said(), [], 'they went away, they were not replaced');
});

test('what ends for a peer is no error of ours', () => {
  const { watch, passes, log } = setUp();
  watch.followPeer(hourly('node-2'));
  passes(55);
  assert.deepEqual(
    log.map(({ level }) => level),
    ['info', 'warn', 'warn'],
  );
});

test('a peer that comes back with the certificate that was told of is no news, until the next level', () => {
  const { watch, passes, said } = setUp();
  passes(41);
  watch.followPeer(hourly('node-2'))();
  assert.deepEqual(said(), ['expiring peer notice CN=node-2']);
  watch.followPeer(hourly('node-2'))();
  assert.deepEqual(said(), []);
  passes(51);
  watch.followPeer(hourly('node-2'));
  assert.deepEqual(said(), ['expiring peer warning CN=node-2']);
});

test('the certificate of a peer is cleared when it shows a later one, dialled before or after the old connection ends', () => {
  for (const order of ['before', 'after'] as const) {
    const { watch, passes, said } = setUp();
    passes(51);
    const endOld = watch.followPeer(hourly('node-2'));
    watch.followPeer(hourly('node-3', 50));
    assert.deepEqual(said(), ['expiring peer warning CN=node-2']);
    if (order === 'after') endOld();
    assert.deepEqual(said(), [], 'another peer does not replace it');
    watch.followPeer(hourly('node-2', 50));
    if (order === 'before') {
      assert.deepEqual(said(), [], 'it is still in use');
      endOld();
    }
    assert.deepEqual(said(), ['cleared peer warning CN=node-2']);
  }
});

test('any number of peers with certificates near their end does not fill the memory', () => {
  const { watch, passes, said } = setUp();
  passes(51);
  watch.followOwn([{ usage: 'server', identity: hourly('node-1') }]);
  for (let n = 0; n < 1_500; n += 1) watch.followPeer(hourly(`client-${n}`))();
  assert.equal(said().length, 1_501);
  watch.followPeer(hourly('client-1499'))();
  assert.deepEqual(said(), [], 'the newest are remembered');
  watch.followPeer(hourly('client-0'))();
  assert.deepEqual(said(), ['expiring peer warning CN=client-0'], 'the oldest are not');
  watch.followOwn([]);
  assert.deepEqual(said(), ['cleared server warning CN=node-1'], 'our own are never forgotten');
});

test('after its end it waits for nothing and says nothing', () => {
  const { watch, passes, said, clock } = setUp();
  watch.followOwn([{ usage: 'server', identity: hourly('node-1') }]);
  const end = watch.followPeer(hourly('node-2'));
  watch.close();
  assert.equal(clock.timers, 0);
  passes(61);
  end();
  watch.followPeer(hourly('node-3'));
  assert.deepEqual(said(), []);
  assert.equal(clock.timers, 0);
});

/** A certificate for an hour from that minute on: notice after 40 minutes, warning after 50, critical after 55. */
function hourly(name: string, minute = 0): PeerIdentity {
  const fromMs = START_MS + minute * MINUTE_MS;
  return peerIdentity({
    subject: `CN=${name}`,
    uris: [`spiffe://dev/fabric/${name}`],
    spiffeId: `spiffe://dev/fabric/${name}`,
    fingerprint256: `${name} ${minute}`,
    notBefore: new Date(fromMs),
    notAfter: new Date(fromMs + 60 * MINUTE_MS - 1_000),
  });
}

/** What the metric says of an {@link hourly} of that minute. */
function endAfter(minute: number): number {
  return hourly('any', minute).notAfter.getTime() / 1_000;
}

function setUp() {
  const clock = new ManualClock(START_MS);
  const metrics = createMetrics();
  const log: Record<string, unknown>[] = [];
  const watch = new ExpiryWatch(createLogger({ write: line => log.push(JSON.parse(line)) }), metrics, clock);
  return {
    clock,
    metrics,
    watch,
    log,
    /** Until so many minutes after the start. */
    passes: (minute: number, offsetMs = 0) => clock.advanceTo(START_MS + minute * MINUTE_MS + offsetMs),
    /** What was logged since this was asked last. */
    said: () =>
      log.splice(0).map(({ event, usage, expiryLevel, subject }) => {
        const word = String(event).replace('tls.certificate_', '').replace('expiry_', '');
        return `${word} ${usage} ${expiryLevel} ${subject}`;
      }),
    shown: () => watch.expiring.map(({ usage, level, identity }) => `${usage} ${level} ${identity.subject}`),
    /** Both gauges, without the levels that nothing is at. */
    gauges: async () => {
      const ends = (await metrics.certificateExpiration.get()).values;
      const levels = (await metrics.expiringCertificates.get()).values.filter(({ value }) => value !== 0);
      return Object.fromEntries([
        ...ends.map(({ labels, value }) => [`${labels.usage} ends`, value]),
        ...levels.map(({ labels, value }) => [`${labels.usage} ${labels.level}`, value]),
      ]);
    },
  };
}
