import { type NodeSettings, resolveNodeOptions } from '../../src/node/resolve-options.ts';
import { SUBJECT_NAME } from './credentials.ts';

/** The settings of a strict node for which nothing was chosen but its certificates: every limit is the default. */
export function strictNodeSettings(): NodeSettings {
  const resolved = resolveNodeOptions({
    clusterName: 'bench',
    nodeName: 'node-1',
    dataDir: 'unused',
    networking: {
      tls: { certFile: 'unused', keyFile: 'unused', caFiles: ['unused'], allowedSubjectNames: [`uri:${SUBJECT_NAME}`] },
    },
  });
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  return resolved.settings;
}
