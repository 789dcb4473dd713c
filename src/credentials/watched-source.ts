import { messageOf } from '../errors/selvedge-error.ts';
import { watchFiles } from '../lifecycle/file-watcher.ts';
import type { CredentialReading } from './credential-bytes.ts';
import type { CredentialSource, CredentialSourceParts } from './credential-source.ts';
import { warningsOfMounts } from './mounts.ts';

/** A source that lies in files: tells of a change to any of `files`, which may exist or not, and reads with `read`. */
export async function openWatchedSource(
  files: readonly string[],
  read: () => Promise<CredentialReading>,
  { watch, onChange, logger, mountInfo, whyNotBelieved }: CredentialSourceParts,
): Promise<CredentialSource> {
  const watcher = watch
    ? watchFiles({
        files,
        onChange,
        onError: error => logger.warn('tls.watch_failed', { problem: messageOf(error) }),
      })
    : undefined;
  await watcher?.ready;
  return {
    read: async () => {
      const why = await whyNotBelieved?.();
      if (why !== undefined) return { ok: false, problems: [why] };
      const reading = await read();
      if (!reading.ok) return reading;
      const { cert, key, ca, crl } = reading.bytes;
      const parts = [cert, key, ...ca, ...crl].map(({ file }) => file);
      const warnings = [...(reading.warnings ?? []), ...(await warningsOfMounts(parts, mountInfo))];
      return { ...reading, warnings };
    },
    close: async () => watcher?.close(),
  };
}
