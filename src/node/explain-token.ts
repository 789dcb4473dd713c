import type { TokenEntry } from '../authentication/token-file.ts';
import type { AuthenticationFailure } from '../errors/authentication-failure.ts';
import type { Caller } from '../rpc/caller.ts';
import type { Explanation } from '../rpc/explain-messages.ts';
import type { ExplainCalls } from './explain-calls.ts';
import { NO_EXPLANATION } from './explanation-messages.ts';

/**
 * Whether the static token of a name is taken, and what a caller may do who shows nothing else. Where it is not, `reason`
 * is the authentication failure that its holder meets.
 * @param tokens those in use; undefined where no static token is taken.
 */
export function explainToken(
  name: string,
  tokens: readonly TokenEntry[] | undefined,
  explainCalls: ExplainCalls,
  now: Date,
): Explanation {
  const entry = tokens?.find(each => each.name === name);
  if (entry === undefined) {
    const why = tokens === undefined ? 'no static token is taken' : 'the token file has no line of this name';
    return { ...NO_EXPLANATION, ...refused('unknown_token'), detail: why };
  }
  const { roles, expiresAtMs } = entry;
  const until = Number.isFinite(expiresAtMs) ? new Date(expiresAtMs).toISOString() : undefined;
  if (now.getTime() >= expiresAtMs)
    return { ...NO_EXPLANATION, ...refused('token_expired'), detail: `its line in the token file ended at ${until}` };
  const caller: Caller = {
    connectionId: 0,
    remoteAddress: '',
    security: { kind: 'tls', protocol: '', cipher: '' },
    identity: undefined,
    roles,
    bearer: { kind: 'token', name, roles },
  };
  const detail = `its line in the token file holds ${until === undefined ? 'for ever' : `until ${until}`}`;
  return { ...NO_EXPLANATION, admitted: true, roles: [...roles], detail, ...explainCalls(caller) };
}

function refused(reason: AuthenticationFailure): Pick<Explanation, 'admitted' | 'reason'> {
  return { admitted: false, reason };
}
