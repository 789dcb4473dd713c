import { dirname } from 'node:path';
import { AuditFile, type AuditFileParts } from '../audit/audit-file.ts';
import { type AuditRecord, recordOfGap } from '../audit/audit-record.ts';
import { AuditFunction, AuditLog, type AuditSink, type OnSinkProblem } from '../audit/audit-sink.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { isChanging, isOwnMethod } from '../authorization/method-rules.ts';
import { messageOf, SelvedgeError } from '../errors/selvedge-error.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { NodeProblems } from './node-problems.ts';
import type { NodeSettings } from './node-settings.ts';

/** A function of the application that takes the records of the audit trail. It must not wait. */
export type TakeAuditRecord = (record: AuditRecord) => void;

export interface AuditParts {
  readonly settings: Pick<NodeSettings, 'nodeName' | 'audit'>;
  readonly nodeGeneration: number;
  /** Of the listener, now; 0 without credentials. */
  readonly trustGeneration: () => number;
  /** Whether the policy that holds asks for a record of each call of the application that it allows. */
  readonly auditsAllowed: () => boolean;
  /** Instead of the log. */
  readonly take: TakeAuditRecord | undefined;
  readonly problems: NodeProblems;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The audit trail of a node. @throws config_invalid where its file cannot be opened. */
export async function openAudit(parts: AuditParts): Promise<AuditTrail> {
  const { settings, nodeGeneration, trustGeneration, metrics } = parts;
  const { nodeName, audit } = settings;
  return new AuditTrail({
    sink: await openSink(parts),
    limits: { perSecond: audit.maxDenialsPerSecond, perSecondPerSource: audit.maxDenialsPerSecondPerSource },
    origin: () => ({ nodeName, nodeGeneration, trustGeneration: trustGeneration() }),
    isChanging,
    auditsAllowed: methodPath => parts.auditsAllowed() && !isOwnMethod(methodPath),
    metrics,
  });
}

async function openSink({ settings, nodeGeneration, take, problems, logger, metrics }: AuditParts): Promise<AuditSink> {
  const { file } = settings.audit;
  const onProblem: OnSinkProblem = problem => {
    problems.set('audit', problem);
    metrics.auditFailing.set(problem === undefined ? 0 : 1);
  };
  if (take !== undefined && file !== undefined)
    throw invalid('The records go to a file or to a function, not to both.', 'Leave one of them out.');
  if (take !== undefined) return new AuditFunction({ take, logger, onProblem });
  if (file === undefined) return new AuditLog(logger);
  const origin = { nodeName: settings.nodeName, nodeGeneration, trustGeneration: 0 };
  const gap: AuditFileParts['gap'] = facts => recordOfGap({ dropped: 0, ...facts }, origin, Date.now());
  try {
    return await AuditFile.open({ file, logger, onProblem, gap });
  } catch (error) {
    throw invalid(
      `The file cannot be opened for writing: ${messageOf(error)}.`,
      `See to it that ${dirname(file)} is a directory that this user may write to.`,
    );
  }
}

function invalid(problem: string, remedy: string): SelvedgeError<'config_invalid'> {
  const problems = [{ key: 'audit.file', place: 'options', problem, remedy }];
  return new SelvedgeError('config_invalid', `audit.file: ${problem} ${remedy}`, { problems });
}
