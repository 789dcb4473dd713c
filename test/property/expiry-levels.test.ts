import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { beginOfLevel, EXPIRY_LEVELS, expiryLevelAt, nextExpiryChange } from '../../src/credentials/expiry.ts';

const DAY_MS = 86_400_000;

/** X.509 counts in seconds. */
const validity = fc
  .tuple(fc.integer({ min: 0, max: 4_000_000_000 }), fc.integer({ min: -1_000, max: 400_000_000 }))
  .map(([fromS, lifetimeS]) => ({
    notBefore: new Date(fromS * 1_000),
    notAfter: new Date((fromS + lifetimeS) * 1_000),
  }));

/** Far from the certificate's time, and close to the edges that count. */
const moment = fc
  .tuple(validity, fc.integer({ min: -2, max: 2 }), fc.nat(8_000_000_000_000), fc.nat(4))
  .map(([certificate, offsetMs, anyMs, which]) => {
    const level = EXPIRY_LEVELS[which];
    return { certificate, atMs: level === undefined ? anyMs : beginOfLevel(certificate, level) + offsetMs };
  });

const rank = (certificate: Parameters<typeof expiryLevelAt>[0], atMs: number): number => {
  const level = expiryLevelAt(certificate, atMs);
  return level === undefined ? -1 : EXPIRY_LEVELS.indexOf(level);
};

test('time only makes it worse', () => {
  fc.assert(
    fc.property(moment, fc.nat(40 * DAY_MS), ({ certificate, atMs }, laterMs) => {
      assert.ok(rank(certificate, atMs) <= rank(certificate, atMs + laterMs));
    }),
    { numRuns: 2_000 },
  );
});

test('the next change is the next moment at which the level is another, and there are at most four', () => {
  fc.assert(
    fc.property(moment, ({ certificate, atMs }) => {
      let [nowMs, changes] = [atMs, 0];
      for (;;) {
        const nextMs = nextExpiryChange(certificate, nowMs);
        if (nextMs === Number.POSITIVE_INFINITY) break;
        assert.ok(nextMs > nowMs);
        assert.equal(rank(certificate, nextMs - 1), rank(certificate, nowMs));
        assert.ok(rank(certificate, nextMs) > rank(certificate, nowMs));
        nowMs = nextMs;
        changes += 1;
      }
      assert.equal(expiryLevelAt(certificate, nowMs), 'expired');
      assert.ok(changes <= EXPIRY_LEVELS.length);
    }),
    { numRuns: 2_000 },
  );
});

test('a certificate in the first two thirds of its life is at no level, however short that is', () => {
  fc.assert(
    fc.property(validity, fc.double({ min: 0, max: 0.66, noNaN: true }), (certificate, share) => {
      const lifetimeMs = certificate.notAfter.getTime() - certificate.notBefore.getTime();
      fc.pre(lifetimeMs > 0);
      assert.equal(expiryLevelAt(certificate, certificate.notBefore.getTime() + share * lifetimeMs), undefined);
    }),
    { numRuns: 2_000 },
  );
});
