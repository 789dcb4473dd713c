import { type Command, Option } from 'commander';

/** What the two options of {@link addConfigOptions} say. */
export interface ConfigOptions {
  readonly config: string;
  readonly set: readonly string[];
}

/** The two options that say what a node is told. */
export function addConfigOptions(command: Command): Command {
  return command.requiredOption('--config <file>', 'the configuration, TOML').addOption(setOption());
}

/** `--set`, which may be given several times; none is an empty list. */
export function setOption(): Option {
  return new Option('--set <assignment>', 'KEY=VALUE that overrides the configuration; may be given several times')
    .argParser((assignment: string, others: readonly string[]) => [...others, assignment])
    .default([], 'nothing');
}
