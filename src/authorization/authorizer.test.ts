import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { callerWith } from '../../test/kit/call-as.ts';
import { goodPolicy, tlsCaller } from '../../test/kit/policies.ts';
import type { Caller, Role } from '../rpc/caller.ts';
import { createAuthorizer } from './authorizer.ts';

const DRAIN = '/selvedge.control.v1.NodeControl/Drain';
const STATUS = '/selvedge.control.v1.NodeControl/GetStatus';
const METHODS = ['/pkg.service/foo', '/pkg.service/bar', '/pkg.service/baz', '/pkg.service/secret', DRAIN, STATUS];

function authorizer(policy: object | undefined, strict = true): (...asked: Asked) => string {
  const read = policy === undefined ? undefined : goodPolicy(policy, METHODS);
  const authorize = createAuthorizer({ policy: read, strict }, new Set(METHODS));
  return (caller, path, headers = {}) => {
    const { allowed, policy: name, rule } = authorize(caller, path, Metadata.fromHttp2Headers(headers));
    return `${allowed ? 'allow' : 'deny'} ${name}/${rule}`;
  };
}
type Asked = readonly [caller: Caller, path: string, headers?: Record<string, string | string[]>];

const spiffe = (path: string): Caller => {
  const id = `spiffe://foo.com/${path}`;
  return tlsCaller({ uris: [id], spiffeId: id });
};

test('the example of gRFC A43 decides as its text says', () => {
  const decide = authorizer({
    name: 'example-policy',
    allow_rules: [
      {
        name: 'admin-access',
        source: { principals: ['spiffe://foo.com/sa/admin1', 'spiffe://foo.com/sa/admin2'] },
        request: { paths: ['/pkg.service/*'] },
      },
      {
        name: 'dev-access',
        source: { principals: ['*', ''] },
        request: {
          paths: ['/pkg.service/foo', '/pkg.service/bar'],
          headers: [{ key: 'dev-path', values: ['/dev/path/*'] }],
        },
      },
    ],
    deny_rules: [{ name: 'deny-access', request: { paths: ['*/secret'] } }],
  });
  const admin = spiffe('sa/admin2');
  const dev = spiffe('sa/dev');
  assert.equal(decide(admin, '/pkg.service/baz'), 'allow example-policy/admin-access');
  assert.equal(decide(admin, '/pkg.service/secret'), 'deny example-policy/deny-access');
  assert.equal(decide(dev, '/pkg.service/baz', { 'dev-path': '/dev/path/x' }), 'deny example-policy/');
  assert.equal(decide(dev, '/pkg.service/foo', { 'dev-path': '/dev/path/x' }), 'allow example-policy/dev-access');
  assert.equal(decide(dev, '/pkg.service/foo', { 'dev-path': '/dev/other' }), 'deny example-policy/');
  assert.equal(decide(dev, '/pkg.service/foo'), 'deny example-policy/');
});

test('without a policy the built-in table decides', () => {
  const decide = authorizer(undefined, false);
  assert.equal(decide(tlsCaller({ uris: ['x:y'] }), '/pkg.service/foo'), 'allow built-in/application');
  assert.equal(decide(tlsCaller({ uris: ['x:y'] }, ['observer']), '/pkg.service/foo'), 'deny built-in/application');
  assert.equal(decide(callerWith('local'), DRAIN), 'allow built-in/changing');
});

test('messages are decided on as services of the application are, by the path of their kind', () => {
  const [invalidate, vote] = ['/selvedge.message/cache.invalidate', '/selvedge.message/raft.vote'];
  const builtIn = authorizer(undefined);
  assert.equal(builtIn(spiffe('sa/a'), invalidate), 'allow built-in/application');
  assert.equal(builtIn(callerWith('anonymous'), invalidate), 'deny built-in/application');
  assert.equal(builtIn(callerWith('admin'), invalidate), 'deny built-in/application');
  const decide = authorizer({
    name: 'p',
    deny_rules: [{ name: 'no-votes', source: { principals: ['*/b'] }, request: { paths: [vote] } }],
    allow_rules: [{ name: 'messages', request: { paths: ['/selvedge.message/*'] } }],
  });
  assert.equal(decide(spiffe('sa/a'), vote), 'allow p/messages');
  assert.equal(decide(spiffe('sa/b'), vote), 'deny p/no-votes');
  assert.equal(decide(spiffe('sa/b'), invalidate), 'allow p/messages');
  assert.equal(decide(spiffe('sa/b'), '/pkg.service/foo'), 'deny p/');
  assert.equal(decide(callerWith('anonymous'), invalidate), 'deny built-in/anonymous-in-strict');
});

test('a denial reaches our own services too; a permission does not', () => {
  const decide = authorizer({
    name: 'p',
    deny_rules: [{ name: 'no-drain', source: { principals: ['role:admin'] }, request: { paths: [DRAIN] } }],
    allow_rules: [{ name: 'all' }],
  });
  const admin = tlsCaller({ uris: ['x:y'] }, ['admin']);
  assert.equal(decide(admin, DRAIN), 'deny p/no-drain');
  assert.equal(decide(callerWith('local'), DRAIN), 'allow built-in/changing');
  assert.equal(decide(tlsCaller({ uris: ['x:y'] }), DRAIN), 'deny built-in/changing');
  assert.equal(decide(tlsCaller({ uris: ['x:y'] }), STATUS), 'allow built-in/reading');
  assert.equal(decide(admin, '/pkg.service/foo'), 'allow p/all');
});

test('in strict no rule lets anonymous reach the application; elsewhere it may', () => {
  const policy = { name: 'p', allow_rules: [{ name: 'all', source: { principals: ['role:anonymous', ''] } }] };
  for (const caller of [tlsCaller(undefined), callerWith('anonymous')]) {
    assert.equal(authorizer(policy, true)(caller, '/pkg.service/foo'), 'deny built-in/anonymous-in-strict');
    assert.equal(authorizer(policy, false)(caller, '/pkg.service/foo'), 'allow p/all');
  }
});

test('a role is no name, and a name no role', () => {
  const decide = authorizer({
    name: 'p',
    allow_rules: [{ name: 'admins', source: { principals: ['role:admin'] } }],
  });
  assert.equal(decide(tlsCaller({ uris: ['role:admin'] }), '/pkg.service/foo'), 'deny p/');
  assert.equal(decide(tlsCaller({ uris: ['x:y'] }, ['admin']), '/pkg.service/foo'), 'allow p/admins');
});

test('a token is no certificate, and a certificate no token', () => {
  const withBearer = (kind: 'token' | 'jwt', name: string): Caller => ({
    ...tlsCaller({ subject: 'CN=somebody' }, ['admin']),
    bearer: { kind, name, roles: new Set<Role>(['admin']) },
  });
  const denied = (principal: string, caller: Caller): boolean => {
    const deny_rules = [{ name: 'd', source: { principals: [principal] } }];
    return authorizer({ name: 'p', deny_rules, allow_rules: [] })(caller, STATUS) === 'deny p/d';
  };
  assert.equal(denied('token:ann', withBearer('token', 'ann')), true);
  assert.equal(denied('token:ann', withBearer('jwt', 'ann')), false);
  assert.equal(denied('jwt:team-*', withBearer('jwt', 'team-a')), true);
  assert.equal(denied('*ann', withBearer('token', 'ann')), false);
  assert.equal(denied('token:ann', tlsCaller({ uris: ['token:ann'] })), false);
  assert.equal(denied('*', { ...withBearer('token', 'ann'), identity: undefined }), true);
});

test('a second URI gets nobody in, and nobody around a denial', () => {
  const uris = ['spiffe://foo.com/a', 'spiffe://foo.com/b'];
  const rule = { name: 'r', source: { principals: ['spiffe://foo.com/a'] } };
  const two = tlsCaller({ uris, spiffeId: undefined });
  assert.equal(authorizer({ name: 'p', allow_rules: [rule] })(two, '/pkg.service/foo'), 'deny p/');
  const denying = { name: 'p', deny_rules: [rule], allow_rules: [{ name: 'all' }] };
  assert.equal(authorizer(denying)(two, '/pkg.service/foo'), 'deny p/r');
});

test('headers are asked of each call, whatever the call before it had', () => {
  const decide = authorizer({
    name: 'p',
    deny_rules: [{ name: 'evil', request: { headers: [{ key: 'X-Kind', values: ['evil', 'a,b'] }] } }],
    allow_rules: [{ name: 'all' }],
  });
  const caller = spiffe('x');
  assert.equal(decide(caller, '/pkg.service/foo'), 'allow p/all');
  assert.equal(decide(caller, '/pkg.service/foo', { 'x-kind': 'evil' }), 'deny p/evil');
  assert.equal(decide(caller, '/pkg.service/foo', { 'x-kind': 'good' }), 'allow p/all');
  assert.equal(decide(caller, '/pkg.service/foo', { 'x-kind': ['a', 'b'] }), 'deny p/evil');
  assert.equal(decide(caller, '/pkg.service/foo', { 'x-kind': 'a, b' }), 'deny p/evil', 'as Node.js joins them');
});

test('what is remembered is as much as the node serves, whatever a peer asks for', () => {
  const read = goodPolicy({ name: 'p', allow_rules: [{ name: 'all' }] }, METHODS);
  let asked = 0;
  const counted = {
    ...read,
    allowRules: read.allowRules.map(rule => ({
      ...rule,
      get principals() {
        asked += 1;
        return [];
      },
    })),
  };
  const authorize = createAuthorizer({ policy: counted, strict: true }, new Set(METHODS));
  const caller = spiffe('x');
  for (let call = 0; call < 5; call++) authorize(caller, '/pkg.service/foo', new Metadata());
  const once = asked;
  for (let call = 0; call < 5; call++) authorize(caller, `/made.up/Method`, new Metadata());
  assert.ok(once > 0);
  assert.equal(asked, once + 5 * once, 'a path that is not served is judged each time');
});

test('a caller whose roles change is another caller', () => {
  const decide = authorizer({ name: 'p', allow_rules: [{ name: 'a', source: { principals: ['role:observer'] } }] });
  const before = tlsCaller({ uris: ['x:y'] });
  assert.equal(decide(before, '/pkg.service/foo'), 'deny p/');
  const after = { ...before, roles: new Set<Role>(['observer']) };
  assert.equal(decide(after, '/pkg.service/foo'), 'allow p/a');
});
