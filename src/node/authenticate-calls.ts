import type { BearerAuthenticator } from '../authentication/bearer-authenticator.ts';
import { kindOfMethod } from '../authorization/method-kind.ts';
import { MutableValue, type ObservableValue } from '../lifecycle/observable-value.ts';
import type { AuthenticateCall, AuthorizeCall } from '../listener/listener-policy.ts';
import type { Caller } from '../rpc/caller.ts';
import type { AuthorizationSettings, NodeSettings, TlsSettings } from './node-settings.ts';

/**
 * Where bearer tokens are taken: on the control services alone, where callers without a certificate need one. Services
 * of applications see their metadata as it came, and no token of ours opens them or a fabric stream; where a client
 * certificate is required, who shows none gets no further than health and reflection. The admin socket needs no token.
 */
export function authenticateUnder(
  settings: ObservableValue<Pick<NodeSettings, 'tls' | 'authorization'>>,
  bearers: BearerAuthenticator,
): AuthenticateCall {
  return (caller, methodPath, metadata) => {
    if (settings.value.authorization.bearer === undefined || caller.roles.has('local')) return caller;
    if (kindOfMethod(methodPath) === 'control') return bearers.authenticate(caller, methodPath, metadata);
    const lacking = lackingCredentials(caller, methodPath, settings.value);
    return lacking === undefined ? caller : bearers.refuse(caller, methodPath, 'no_credentials');
  };
}

/** What of the settings says which credentials a call needs. */
interface CredentialSettings {
  readonly tls: Pick<TlsSettings, 'requireClientAuth'> | undefined;
  readonly authorization: Pick<AuthorizationSettings, 'bearer'>;
}

/** Without what a call is refused before any rule is asked; undefined: nothing is lacking. */
export function lackingCredentials(
  caller: Pick<Caller, 'identity' | 'roles' | 'security' | 'bearer'>,
  methodPath: string,
  { tls, authorization }: CredentialSettings,
): 'token' | 'certificate' | undefined {
  if (authorization.bearer === undefined || caller.identity !== undefined || caller.roles.has('local'))
    return undefined;
  const kind = kindOfMethod(methodPath);
  if (kind === 'public') return undefined;
  if (kind === 'control') return caller.bearer === undefined ? 'token' : undefined;
  return caller.security.kind === 'tls' && (tls?.requireClientAuth ?? true) ? 'certificate' : undefined;
}

/** `authorize` for callers whose token still holds; another function also when tokens change or expire. */
export function authorizeWhileHeld(
  authorize: ObservableValue<AuthorizeCall>,
  bearers: Pick<BearerAuthenticator, 'holds' | 'epoch'>,
): ObservableValue<AuthorizeCall> {
  const now = (): AuthorizeCall => {
    const decide = authorize.value;
    return (caller, methodPath, metadata) =>
      caller.bearer === undefined || bearers.holds(caller.bearer) ? decide(caller, methodPath, metadata) : WITHDRAWN;
  };
  const value = new MutableValue(now());
  authorize.subscribe(() => value.set(now()));
  bearers.epoch.subscribe(() => value.set(now()));
  return value;
}

const WITHDRAWN = { allowed: false, policy: 'built-in', rule: 'authentication' } as const;
