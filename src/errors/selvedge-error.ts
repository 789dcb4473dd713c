import type { MessageFailure } from './message-failure.ts';
import type { RefusalReason } from './refusal-reason.ts';

/** One mistake in a configuration or in a file it names: where it stands, what is wrong, what to do. */
export interface ConfigProblem {
  /** Dotted key, such as `networking.tls.mode`; empty for the file as a whole. */
  readonly key: string;
  /** Where the value came from: `node.toml:12:3`, `--set`, or the name of an environment variable. */
  readonly place: string;
  readonly problem: string;
  /** What to do about it, in one sentence; empty where the problem says it already. */
  readonly remedy: string;
}

/** What each code carries. Add a code here and in {@link ERROR_SUMMARIES}; the compiler and a test hold both together. */
export interface ErrorFacts {
  address_in_use: { readonly address: string };
  address_invalid: { readonly address: string; readonly problem: string };
  certificate_malformed: { readonly problem: string };
  config_invalid: { readonly problems: readonly ConfigProblem[] };
  credentials_invalid: { readonly file: string; readonly problem: string; readonly mayPass?: boolean };
  data_dir_locked: { readonly dataDir: string; readonly pid: number };
  data_dir_unusable: { readonly dataDir: string; readonly problem: string };
  file_exists: { readonly file: string };
  listen_failed: { readonly address: string; readonly problem: string };
  member_unknown: { readonly node: string };
  member_removed: { readonly node: string };
  membership_not_writable: { readonly source: string };
  membership_unavailable: { readonly source: string; readonly problem: string };
  message_failed: {
    readonly node: string;
    readonly kind: string;
    readonly reason: MessageFailure;
    /** Whether it is certain that the other node has not processed it and never will. */
    readonly safeToRetry: boolean;
    readonly detail: string;
  };
  no_ready_member: { readonly selector: string };
  node_closed: { readonly node: string };
  node_name_held: { readonly node: string };
  node_name_invalid: { readonly name: string };
  pattern_invalid: { readonly pattern: string; readonly problem: string };
  refused: { readonly reason: RefusalReason; readonly by: 'us' | 'peer'; readonly detail: string };
  restart_required: { readonly keys: readonly string[] };
  usage: { readonly problem: string };
}

export type ErrorCode = keyof ErrorFacts;

/** What each code means, for `docs/errors.md`. */
export const ERROR_SUMMARIES: { readonly [Code in ErrorCode]: string } = {
  address_in_use: 'Another process already listens on the address.',
  address_invalid: 'A text is not an address this product understands.',
  certificate_malformed: 'Bytes are not an X.509 certificate, or one that cannot be read safely.',
  config_invalid: 'The configuration has one or more mistakes; all are listed with their place.',
  credentials_invalid: 'A certificate, key, CA or CRL file cannot be used.',
  data_dir_locked: 'Another daemon already runs on the data directory.',
  data_dir_unusable: 'The data directory cannot be created, read or written.',
  file_exists: 'A file would be overwritten, which was not asked for.',
  listen_failed: 'The operating system refused to listen on the address.',
  member_unknown: 'The membership source lists no node of that name.',
  member_removed: 'The node was removed from the cluster; it may come back when it is added again.',
  membership_not_writable: 'The membership source cannot be changed through a node; the message says what to edit.',
  membership_unavailable: 'The membership source does not answer, and nothing is known from before.',
  message_failed: 'A message to another node was not answered, or is not known to have arrived.',
  no_ready_member: 'No member that matches the selector is ready.',
  node_closed: 'The node is closed or draining and takes nothing new.',
  node_name_held: 'Another process holds the name of this node in the membership source.',
  node_name_invalid: 'A node name is not of the form the contract gives.',
  pattern_invalid: 'A subject-name pattern does not follow the grammar.',
  refused: 'A connection, a Hello or a dial was refused; the facts carry the reason code.',
  restart_required: 'A changed key is only taken at start; the reload was rejected as a whole.',
  usage: 'A command was called in a way it does not understand.',
};

/**
 * The one error class. Match by `code`, never by message; `facts` carries what the code promises.
 */
export class SelvedgeError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code;
  readonly facts: ErrorFacts[Code];

  constructor(code: Code, message: string, facts: ErrorFacts[Code], options?: ErrorOptions) {
    super(message, options);
    this.name = 'SelvedgeError';
    this.code = code;
    this.facts = facts;
  }
}

/** True when `error` is ours and, where a code is given, of that code. */
export function isSelvedgeError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is SelvedgeError<Code> {
  return error instanceof SelvedgeError && (code === undefined || error.code === code);
}

/** The message of whatever was thrown, in one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
