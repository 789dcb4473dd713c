import { resolve } from 'node:path';
import type { AuditOptions } from './node-options.ts';
import type { AuditSettings } from './node-settings.ts';
import type { OptionProblems } from './option-problems.ts';

/** Whether the file can be written is not looked at here. */
export function resolveAudit(options: AuditOptions, found: OptionProblems): AuditSettings {
  const { file, maxDenialsPerSecond = 200, maxDenialsPerSecondPerSource = 20 } = options;
  const given = file === undefined ? undefined : found.required(['audit', 'file'], file, 'where the records go');
  return {
    file: given === undefined ? undefined : resolve(given),
    maxDenialsPerSecond: found.count(['audit', 'maxDenialsPerSecond'], maxDenialsPerSecond),
    maxDenialsPerSecondPerSource: found.count(['audit', 'maxDenialsPerSecondPerSource'], maxDenialsPerSecondPerSource),
  };
}
