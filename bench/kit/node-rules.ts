import { AuditLog } from '../../src/audit/audit-sink.ts';
import { AuditTrail } from '../../src/audit/audit-trail.ts';
import { BearerAuthenticator } from '../../src/authentication/bearer-authenticator.ts';
import { createAuthorizer } from '../../src/authorization/authorizer.ts';
import { isChanging } from '../../src/authorization/method-rules.ts';
import { readPolicy } from '../../src/authorization/read-policy.ts';
import { constant } from '../../src/lifecycle/observable-value.ts';
import type { CallRules } from '../../src/listener/listener-policy.ts';
import { authenticateUnder, authorizeWhileHeld } from '../../src/node/authenticate-calls.ts';
import { servedMethods } from '../../src/node/served-methods.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import type { Metrics } from '../../src/telemetry/metrics.ts';
import { SUBJECT_NAME } from './credentials.ts';
import { echoDefinition } from './echo.ts';
import { strictNodeSettings } from './node-settings.ts';

/** As a file of it would be: two rules are about headers and have to be asked of each call, the last one lets us in. */
const POLICY = {
  name: 'bench',
  deny_rules: [
    { name: 'no-debugging', request: { headers: [{ key: 'x-debug', values: ['*'] }] } },
    { name: 'retired', source: { principals: ['spiffe://bench/fabric/retired-*'] } },
  ],
  allow_rules: [
    { name: 'operators', source: { principals: ['role:admin', 'spiffe://bench/operators/*'] } },
    {
      name: 'canaries',
      source: { principals: ['spiffe://bench/*'] },
      request: { paths: ['/bench.Echo/*'], headers: [{ key: 'x-release', values: ['canary', 'canary-*'] }] },
    },
    { name: 'batch', source: { principals: ['spiffe://bench/batch/*'] }, request: { paths: ['/bench.Echo/*'] } },
    { name: 'nodes', source: { principals: [SUBJECT_NAME] }, request: { paths: [echoDefinition.Echo.path] } },
  ],
};

/** What a strict node with a policy file asks of each call, and its audit trail, whose records go to the log. */
export function nodeRules(logger: Logger, metrics: Metrics): CallRules {
  const methods = servedMethods([echoDefinition]);
  const reading = readPolicy(JSON.stringify(POLICY), 'policy.json', methods);
  if ('problems' in reading) throw new Error(JSON.stringify(reading.problems));
  const audit = new AuditTrail({
    sink: new AuditLog(logger),
    limits: { perSecond: 100, perSecondPerSource: 10 },
    origin: () => ({ nodeName: 'node', nodeGeneration: 1, trustGeneration: 1 }),
    isChanging,
    auditsAllowed: () => reading.policy.auditsAllowed,
    metrics,
  });
  const authorize = createAuthorizer({ policy: reading.policy, strict: true }, new Set(methods));
  const tokens = { tokens: undefined, verifier: undefined, allowPlaintext: false };
  const bearers = new BearerAuthenticator({ rules: constant(tokens), logger, metrics });
  return {
    authorize: authorizeWhileHeld(constant(authorize), bearers),
    authenticate: authenticateUnder(constant(strictNodeSettings()), bearers),
    decided: (caller, methodPath, decision) => audit.decided(caller, methodPath, decision),
  };
}
