import { formatConfigProblem } from '../config/load-config.ts';
import { type ErrorCode, isSelvedgeError, messageOf } from '../errors/selvedge-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** A command that could not be done, in words for who typed it. */
export class CommandFailure extends Error {
  /** What to do next, in one sentence; empty where the message says it already. */
  readonly remedy: string;
  readonly exitCode: ExitCode;

  constructor(message: string, remedy = '', exitCode: ExitCode = EXIT.failure) {
    super(message);
    this.name = 'CommandFailure';
    this.remedy = remedy;
    this.exitCode = exitCode;
  }
}

/** A command that was called in a way it does not understand. */
export function usageFailure(message: string, remedy = ''): CommandFailure {
  return new CommandFailure(message, remedy, EXIT.usage);
}

export interface DescribedFailure {
  /** One for each problem. */
  readonly lines: readonly string[];
  readonly exitCode: ExitCode;
}

/**
 * What to print for whatever was thrown, and how to exit. Our own errors and those of the operating system are one line
 * a problem; anything else is a defect of ours and shows where.
 * @param configExitCode for a configuration or credentials that cannot be used.
 */
export function describeFailure(error: unknown, configExitCode: ExitCode): DescribedFailure {
  if (error instanceof CommandFailure) return { lines: [sentences(error)], exitCode: error.exitCode };
  if (isSelvedgeError(error, 'config_invalid'))
    return { lines: error.facts.problems.map(formatConfigProblem), exitCode: configExitCode };
  if (isSelvedgeError(error, 'file_exists'))
    return { lines: [`${messageOf(error)} Give --force to replace it.`], exitCode: EXIT.failure };
  // Not as a configuration that cannot work, which a service manager does not try again.
  if (isSelvedgeError(error, 'credentials_invalid') && error.facts.mayPass === true)
    return { lines: [messageOf(error)], exitCode: EXIT.failure };
  if (isSelvedgeError(error)) return { lines: [messageOf(error)], exitCode: exitCodeOf(error.code, configExitCode) };
  if (isSystemError(error)) return { lines: [messageOf(error)], exitCode: EXIT.failure };
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { lines: [`internal error, please report it: ${detail}`], exitCode: EXIT.failure };
}

function sentences({ message, remedy }: CommandFailure): string {
  return remedy === '' ? message : `${message} ${remedy}`;
}

function exitCodeOf(code: ErrorCode, configExitCode: ExitCode): ExitCode {
  switch (code) {
    case 'usage':
    case 'address_invalid':
    case 'node_name_invalid':
    case 'pattern_invalid':
      return EXIT.usage;
    case 'credentials_invalid':
    case 'certificate_malformed':
      return configExitCode;
    default:
      return EXIT.failure;
  }
}

/** Such as a directory that may not be written: not a defect, and its message says all. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && 'syscall' in error;
}
