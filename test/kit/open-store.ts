import type { TestContext } from 'node:test';
import {
  type CredentialsStore,
  type CredentialsStoreOptions,
  openCredentialsStore,
} from '../../src/credentials/credentials-store.ts';
import { createLogger, silentLogger } from '../../src/telemetry/logger.ts';
import type { CredentialDirectory } from './credential-directory.ts';

const HOUR_MS = 3_600_000;

type Overrides = Partial<CredentialsStoreOptions>;

/** A store of the directory that looks only when it is asked; closed with the test. */
export async function openStore(
  t: TestContext,
  { spec }: Pick<CredentialDirectory, 'spec'>,
  overrides: Overrides = {},
): Promise<CredentialsStore> {
  const store = await openCredentialsStore({
    spec,
    refreshIntervalMs: HOUR_MS,
    watch: false,
    logger: silentLogger,
    ...overrides,
  });
  t.after(() => store.close());
  return store;
}

/** A logger and the events it was told, in order. */
export function recordingLogger(): Pick<CredentialsStoreOptions, 'logger'> & { readonly events: string[] } {
  const events: string[] = [];
  return { events, logger: createLogger({ write: line => events.push(JSON.parse(line).event) }) };
}
