import { Command } from 'commander';
import type { UnaryMethods, UnaryService } from '../rpc/service.ts';
import { callControl } from './control-client.ts';
import { resolveTarget } from './control-target.ts';
import { addConnectionOptions, addOutputOption, ctlOptionsOf, outputFormatOf } from './ctl-options.ts';
import { jsonText } from './json-output.ts';
import type { CommandContext } from './run-program.ts';

/** What a command of `selvedgectl` does with the node that its options name, and with its answer. */
export interface ControlSession {
  call<Methods extends UnaryMethods, Name extends keyof Methods & string>(
    service: UnaryService<Methods>,
    method: Name,
    request: Methods[Name]['request'],
  ): Promise<Methods[Name]['response']>;
  /**
   * Prints `json` where JSON is wanted, and what `table` gives otherwise.
   * @param note one line about what the answer does not hold: below the table, or on standard error beside JSON. Empty: none.
   */
  print(json: unknown, table: () => string, note?: string): void;
}

/** A command that talks to a node. */
export function onlineCommand(name: string, summary: string, examples: readonly string[]): Command {
  return withExamples(addConnectionOptions(new Command(name).description(summary)), examples);
}

/** A command that needs no node. */
export function offlineCommand(name: string, summary: string, examples: readonly string[]): Command {
  return withExamples(addOutputOption(new Command(name).description(summary)), examples);
}

export function withExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map(example => `  $ ${example}`).join('\n')}`);
}

/** The session that the options of `command` mean; nothing is dialled or read before it calls. */
export function sessionOf(command: Command, { terminal }: CommandContext): ControlSession {
  const options = ctlOptionsOf(command, terminal.env);
  return {
    call: async (service, method, request) =>
      callControl(await resolveTarget(options, terminal), service, method, request),
    print: printerOf(command, { terminal }),
  };
}

/** The printing half of a session, for commands that need no node. */
export function printerOf(command: Command, { terminal }: Pick<CommandContext, 'terminal'>): ControlSession['print'] {
  const format = outputFormatOf(ctlOptionsOf(command, terminal.env));
  return (json, table, note = '') => {
    terminal.print(format === 'json' ? jsonText(json) : table());
    if (note === '') return;
    if (format === 'json') terminal.printError(note);
    else terminal.print(`\n${terminal.paint('quiet', note)}`);
  };
}
