import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemberLiveness } from './member-liveness.ts';

const OPTIONS = { heartbeatIntervalMs: 1_000, heartbeatTimeoutMs: 3_000 };

/** A peer in a time of its own, with a look at it every 100 ms. */
class Peer {
  readonly liveness = new MemberLiveness(OPTIONS);
  now = 0;

  get is(): string {
    const { state, reason, generation } = this.liveness.facts;
    return `${state} ${reason} ${generation ?? '-'}`;
  }

  open(generation = 7): this {
    this.liveness.opened(generation, this.now);
    return this;
  }

  end(reason: Parameters<MemberLiveness['ended']>[0], by: 'us' | 'peer' = 'peer'): this {
    this.liveness.ended(reason, by, this.now);
    return this;
  }

  silent(ms: number): this {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 100;
      this.liveness.tick(this.now);
    }
    return this;
  }

  /** With a heartbeat every second; the first one comes at once. */
  heard(ms: number): this {
    for (const end = this.now + ms; this.now < end; ) {
      this.liveness.heard(this.now);
      this.silent(Math.min(1_000, end - this.now));
    }
    return this;
  }

  unreachable(): this {
    this.liveness.notReached('unreachable', this.now);
    return this;
  }

  /** Silent until it is suspected, then heard: how long until it is alive again. */
  recoveryMs(): number {
    assert.match(this.silent(4_000).is, /^suspect /);
    const from = this.now;
    for (let i = 0; !this.is.startsWith('alive') && i < 1_000; i += 1) this.heard(1_000);
    return this.now - from - 1_000;
  }
}

test('a member that was never heard is unknown, whatever dials come to', () => {
  const peer = new Peer();
  assert.equal(peer.is, 'unknown never_heard -');
  assert.equal(peer.unreachable().silent(60_000).is, 'unknown unreachable -');
  assert.equal(peer.open().is, 'alive connected 7');
});

test('silence makes it suspect; when its stream is given up for that, it is dead', () => {
  const peer = new Peer().open().heard(10_000);
  assert.equal(peer.silent(1_000).is, 'alive connected 7');
  assert.equal(peer.silent(100).is, 'suspect silence 7');
  assert.equal(peer.silent(1_000).end('heartbeat_timeout', 'us').is, 'suspect heartbeat_timeout 7');
  assert.equal(peer.silent(100).is, 'dead heartbeat_timeout 7');
  assert.equal(peer.unreachable().is, 'dead heartbeat_timeout 7', 'what it died of does not change');
});

test('a stream that breaks makes it suspect at once, and dead when it stays away', () => {
  const peer = new Peer().open().heard(3_000).open().end('connection_error');
  assert.equal(peer.is, 'suspect connection_error 7');
  assert.equal(peer.unreachable().silent(2_900).is, 'suspect unreachable 7');
  assert.equal(peer.silent(100).is, 'dead unreachable 7');
});

test('a goodbye of its own is its death; one of ours is none', () => {
  for (const goodbye of ['node_draining', 'node_closed'] as const) {
    assert.equal(new Peer().open().end(goodbye, 'peer').is, `dead ${goodbye} 7`);
    assert.equal(new Peer().open().end(goodbye, 'us').is, 'alive connected 7');
  }
});

test('the same process is alive again when it was heard for two heartbeats, from the dead by way of a suspicion', () => {
  const suspect = new Peer().open().end('connection_error').silent(500).open();
  assert.equal(suspect.heard(2_000).is, 'suspect connection_error 7');
  assert.equal(suspect.heard(100).is, 'alive recovered 7');

  const dead = new Peer().open().end('connection_error').silent(5_000).open();
  assert.equal(dead.is, 'suspect recovering 7');
  assert.equal(dead.heard(2_100).is, 'alive recovered 7');
});

test('a suspicious silence while it recovers begins that again', () => {
  const peer = new Peer().open().end('connection_error').open();
  peer.heard(1_000).silent(6_000).heard(2_000);
  assert.equal(peer.is, 'suspect connection_error 7');
  assert.equal(peer.heard(100).is, 'alive recovered 7');
});

test('each suspicion doubles the time it has to be heard for, until it is long past', () => {
  const peer = new Peer().open();
  assert.deepEqual(
    [1, 2, 3, 4].map(() => peer.recoveryMs()),
    [2_000, 4_000, 8_000, 16_000],
  );
  assert.equal(peer.heard(16 * OPTIONS.heartbeatTimeoutMs).recoveryMs(), 2_000);
});

test('a new process is alive at once, and nothing is held against it', () => {
  const peer = new Peer().open();
  peer.recoveryMs();
  peer.recoveryMs();
  assert.equal(peer.end('connection_error').open(8).is, 'alive restarted 8');
  assert.equal(peer.recoveryMs(), 2_000);
  assert.equal(peer.open(9).is, 'alive restarted 9', 'also where the one before seemed alive');
  assert.equal(peer.end('node_draining').open(10).is, 'alive restarted 10');
});

test('what was learned of the pace of one process does not make its successor more patient', () => {
  const peer = new Peer().open();
  for (let i = 0; i < 20; i += 1) peer.silent(2_400).heard(100);
  peer.open(8).silent(2_100);
  assert.equal(peer.is, 'suspect silence 8');
});

test('who drains does so until its stream ends', () => {
  const draining = () => {
    const peer = new Peer().open();
    peer.liveness.draining();
    return peer;
  };
  assert.equal(draining().silent(60_000).heard(10_000).open().is, 'draining node_draining 7');
  assert.equal(draining().end('node_draining').is, 'dead node_draining 7');
  assert.equal(draining().end('connection_error').is, 'suspect connection_error 7');
  assert.equal(draining().end('credentials_rotated').silent(1_000).open().is, 'draining node_draining 7');
  assert.equal(draining().end('credentials_rotated').silent(2_100).is, 'suspect credentials_rotated 7');
});

test('a stream that another one follows is no reason for suspicion, unless none follows', () => {
  for (const reason of ['duplicate_stream', 'credentials_rotated', 'address_changed', 'mode_changed'] as const) {
    assert.equal(new Peer().open().end(reason).silent(1_900).open().silent(1_900).is, 'alive connected 7');
    assert.equal(new Peer().open().end(reason).silent(2_100).is, `suspect ${reason} 7`);
    assert.equal(new Peer().open().end(reason).unreachable().is, 'suspect unreachable 7');
  }
});

test('an idle member is unknown, alive when it is used again, and suspect when it cannot be', () => {
  const idle = () => new Peer().open().end('idle', 'us').silent(60_000);
  assert.equal(idle().is, 'unknown idle 7');
  assert.equal(idle().open().is, 'alive connected 7');
  assert.equal(idle().open(8).is, 'alive restarted 8');
  assert.equal(idle().unreachable().silent(2_900).is, 'suspect unreachable 7');
  assert.equal(idle().unreachable().silent(3_000).is, 'dead unreachable 7');
});

test('to be idle for a while is no way out of a suspicion', () => {
  const peer = new Peer().open().end('connection_error').open().end('idle');
  assert.equal(peer.is, 'unknown idle 7');
  assert.equal(peer.silent(60_000).open().is, 'suspect recovering 7');
  assert.equal(peer.heard(2_100).is, 'alive recovered 7');
});
