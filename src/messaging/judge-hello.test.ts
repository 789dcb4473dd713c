import assert from 'node:assert/strict';
import { test } from 'node:test';
import { introductionOf } from '../../test/kit/raw-peer.ts';
import type { WireIntroduction } from './frame.ts';
import { parseIntroduction } from './introduction.ts';
import { type HelloContext, judgeHello, judgeWelcome } from './judge-hello.ts';

const SELF = parseIntroduction(introductionOf('node-a', { generation: 10 }));

const CONTEXT: HelloContext = {
  self: SELF,
  target: undefined,
  withdrawal: undefined,
  lists: true,
  isMember: true,
  isRemoved: false,
  proof: { ok: true },
  downgrade: false,
  knownGeneration: undefined,
};

function verdict(peer: Partial<WireIntroduction>, context: Partial<HelloContext> = {}, protocol = [1, 1]): string {
  const introduction = parseIntroduction(introductionOf('node-b', peer));
  const [protocolMin = 1, protocolMax = 1] = protocol;
  const result = judgeHello({ introduction, protocolMin, protocolMax }, { ...CONTEXT, ...context });
  return result.ok ? `ok ${result.protocol}` : result.reason;
}

test('a Hello is judged by cluster, name, membership, proof, generation and protocol', () => {
  assert.equal(verdict({}), 'ok 1');
  assert.equal(verdict({ clusterName: 'other' }), 'cluster_mismatch');
  assert.equal(verdict({}, { isMember: false }), 'not_a_member');
  assert.equal(verdict({}, { isMember: false, isRemoved: true }), 'member_removed');
  assert.equal(verdict({}, { lists: false, isMember: false, isRemoved: true }), 'member_removed');
  assert.equal(verdict({}, { downgrade: true }), 'downgrade_refused');
  assert.equal(verdict({}, { downgrade: true, isMember: false }), 'not_a_member');
  assert.equal(verdict({}, { isMember: false, lists: false }), 'ok 1');
  assert.equal(verdict({}, { proof: { ok: false, detail: '' } }), 'node_identity_mismatch');
  assert.equal(verdict({}, { target: 'node-a' }), 'ok 1');
  assert.equal(verdict({}, { target: 'node-c' }), 'node_identity_mismatch');
});

test('a connection that was withdrawn since the call began is told why, before anything else counts', () => {
  assert.equal(verdict({ clusterName: 'other' }, { withdrawal: 'certificate_revoked' }), 'certificate_revoked');
  const welcome = { introduction: parseIntroduction(introductionOf('node-b')), protocol: 1 };
  const context = { self: SELF, target: 'node-b', downgrade: false, knownGeneration: undefined };
  const verdicts = [undefined, 'unknown_ca' as const].map(withdrawal =>
    judgeWelcome(welcome, { ...context, withdrawal }),
  );
  assert.deepEqual(
    verdicts.map(each => (each.ok ? 'ok' : each.reason)),
    ['ok', 'unknown_ca'],
  );
});

test('only an older generation is stale', () => {
  assert.equal(verdict({ generation: 4 }, { knownGeneration: 5 }), 'stale_generation');
  assert.equal(verdict({ generation: 5 }, { knownGeneration: 5 }), 'ok 1');
  assert.equal(verdict({ generation: 6 }, { knownGeneration: 5 }), 'ok 1');
});

test('the highest protocol that both speak is taken, and none is a refusal', () => {
  assert.equal(verdict({}, {}, [1, 9]), 'ok 3');
  assert.equal(verdict({}, {}, [0, 1]), 'ok 1');
  assert.equal(verdict({}, {}, [2, 2]), 'ok 2');
  assert.equal(verdict({}, {}, [4, 9]), 'protocol_version');
  assert.equal(verdict({}, {}, [0, 0]), 'protocol_version');
  assert.equal(verdict({}, {}, [9, 1]), 'protocol_version');
});

test('nobody connects under our own name', () => {
  assert.equal(verdict({ nodeName: 'node-a', generation: 9 }), 'stale_generation');
  assert.equal(verdict({ nodeName: 'node-a', generation: 10 }), 'not_a_member');
  assert.equal(verdict({ nodeName: 'node-a', generation: 11 }), 'not_a_member');
  const proof = { ok: false, detail: '' } as const;
  for (const generation of [9, 10, 11])
    assert.equal(
      verdict({ nodeName: 'node-a', generation }, { proof }),
      'node_identity_mismatch',
      'a thief is no twin',
    );
});

test('a peer whose certificate does not prove its name is not told what would', () => {
  const introduction = parseIntroduction(introductionOf('node-b'));
  const proof = { ok: false, detail: 'wants uri:spiffe://test/node-b' } as const;
  const result = judgeHello({ introduction, protocolMin: 1, protocolMax: 1 }, { ...CONTEXT, proof });
  assert.ok(!result.ok);
  assert.equal(result.detail, proof.detail);
  assert.doesNotMatch(result.told, /spiffe/);
});

test('no refusal tells a peer more than it claims itself: neither the newest generation, nor our name, nor whom we dialled', () => {
  const told: string[] = [];
  const hello = (peer: Partial<WireIntroduction>, context: Partial<HelloContext>, protocol = 1) => {
    const introduction = parseIntroduction(introductionOf('node-b', peer));
    const verdict = judgeHello(
      { introduction, protocolMin: protocol, protocolMax: protocol },
      { ...CONTEXT, ...context },
    );
    assert.ok(!verdict.ok);
    told.push(verdict.told);
  };
  hello({ clusterName: 'other' }, {});
  hello({}, { target: 'node-c' });
  hello({ generation: 4 }, { knownGeneration: 777 });
  hello({}, { isMember: false });
  hello({}, { proof: { ok: false, detail: 'wants node-z' } });
  hello({}, {}, 9);
  for (const generation of [9, 11]) {
    const self = parseIntroduction(introductionOf('node-b', { generation: 777 }));
    hello({ generation: generation * 100 }, { self });
  }
  for (const peer of [{ nodeName: 'node-b' }, { clusterName: 'other' }, { nodeName: 'node-x', generation: 3 }]) {
    const introduction = parseIntroduction(introductionOf('node-b', peer));
    const target = 'nodeName' in peer && peer.nodeName === 'node-x' ? 'node-x' : 'node-q';
    const context = { self: SELF, target, withdrawal: undefined, downgrade: false, knownGeneration: 777 };
    const verdict = judgeWelcome({ introduction, protocol: 1 }, context);
    assert.ok(!verdict.ok);
    told.push(verdict.told);
  }
  assert.equal(told.length, 11);
  assert.deepEqual(
    told.filter(text => /777|node-a|node-c|node-q|node-z/.test(text)),
    [],
  );
});

test('who does not prove its name is not told whether that is a member', () => {
  const proof = { ok: false, detail: '' } as const;
  for (const isMember of [true, false]) assert.equal(verdict({}, { proof, isMember }), 'node_identity_mismatch');
});

test('a Welcome must come from the node that was dialled', () => {
  const reason = (peer: Partial<WireIntroduction>, protocol = 1, knownGeneration = 5, downgrade = false) => {
    const introduction = parseIntroduction(introductionOf('node-b', { generation: 5, ...peer }));
    const context = { self: SELF, target: 'node-b', withdrawal: undefined, downgrade, knownGeneration };
    const result = judgeWelcome({ introduction, protocol }, context);
    return result.ok ? 'ok' : result.reason;
  };
  assert.equal(reason({}), 'ok');
  assert.equal(reason({}, 3), 'ok');
  assert.equal(reason({ nodeName: 'node-c' }), 'server_identity_mismatch');
  assert.equal(reason({ clusterName: 'other' }), 'cluster_mismatch');
  assert.equal(reason({ generation: 4 }), 'stale_generation');
  assert.equal(reason({}, 4), 'protocol_version');
  assert.equal(reason({}, 0), 'protocol_version');
  assert.equal(reason({}, 1, 5, true), 'downgrade_refused');
});
