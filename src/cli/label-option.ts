import { type Command, InvalidArgumentError } from 'commander';

/** `--label name=value`, any number of times: a table of labels under the name `label`. */
export function addLabelOption(command: Command, description: string): Command {
  return command.option('--label <name=value>', description, addLabel);
}

function addLabel(text: string, before: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Write a name and a value, such as role=worker.');
  const name = text.slice(0, at);
  if (before !== undefined && Object.hasOwn(before, name))
    throw new InvalidArgumentError(`The label ${name} is given twice.`);
  return { ...before, [name]: text.slice(at + 1) };
}
