import { SelvedgeError } from '../errors/selvedge-error.ts';

/** One reason why a file of a set of credentials cannot be used. The text never holds key material. */
export interface CredentialProblem {
  readonly file: string;
  readonly problem: string;
  /** That it may go away without anybody mending a file, such as an agent that starts later. Default false. */
  readonly mayPass?: boolean;
  /** `problem` without what may differ each time it is found, such as the words of a peer. Default: `problem` itself. */
  readonly gist?: string;
}

/**
 * The error for a set of credentials that cannot be used: its facts are the first problem, its message names all of
 * them. `problems` must not be empty. One that may pass makes the whole worth another try.
 */
export function credentialsInvalid(problems: readonly CredentialProblem[]): SelvedgeError<'credentials_invalid'> {
  const { file, problem } = problems[0] ?? { file: '', problem: 'unknown' };
  return new SelvedgeError('credentials_invalid', describeProblems(problems), {
    file,
    problem,
    ...(problems.some(({ mayPass }) => mayPass) ? { mayPass: true } : {}),
  });
}

/** `certs/node.pem: is empty; certs/node.key: is missing`, or an empty text. */
export function describeProblems(problems: readonly CredentialProblem[]): string {
  return problems.map(describeProblem).join('; ');
}

/** `certs/node.pem: is empty` */
export function describeProblem({ file, problem }: CredentialProblem): string {
  return `${file}: ${problem}`;
}
