import { messageOf } from '../errors/selvedge-error.ts';
import { watchFiles } from '../lifecycle/file-watcher.ts';
import { type CredentialFiles, tryReadCredentialFiles } from './credential-files.ts';
import type { CredentialSource, CredentialSourceParts } from './credential-source.ts';

/** Certificate, key, anchors and lists in files of their own, watched through their directories. */
export async function openFileSource(files: CredentialFiles, parts: CredentialSourceParts): Promise<CredentialSource> {
  const { watch, onChange, logger } = parts;
  const watcher = watch
    ? watchFiles({
        files: [files.certFile, files.keyFile, ...files.caFiles, ...files.crlFiles],
        onChange,
        onError: error => logger.warn('tls.watch_failed', { problem: messageOf(error) }),
      })
    : undefined;
  await watcher?.ready;
  return { read: () => tryReadCredentialFiles(files), close: async () => watcher?.close() };
}
