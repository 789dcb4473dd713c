import type { MembershipChange } from './membership-editor.ts';

/** What to edit in a members file, for people. */
export function membersFileInstructions(file: string, { kind, name }: MembershipChange): string {
  return `${kind} ${name}: edit ${file} on every node`;
}
