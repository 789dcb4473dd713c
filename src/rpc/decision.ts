/** The answer to one call, and what it follows from: the fields of gRFC A59. */
export interface Decision {
  readonly allowed: boolean;
  /** `built-in`, or the `name` of the policy file. */
  readonly policy: string;
  /** Name of the rule that decided; empty where none matched. */
  readonly rule: string;
}
