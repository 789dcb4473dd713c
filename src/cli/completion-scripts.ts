import type { Command } from 'commander';
import { pathOf } from './run-program.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What may follow one command. */
interface CompletionStep {
  /** `selvedgectl tls` */
  readonly path: string;
  readonly words: readonly CompletionWord[];
}

interface CompletionWord {
  readonly word: string;
  readonly description: string;
  readonly kind: 'word' | 'flag' | 'option with value';
}

/** A script that teaches a shell the commands and options of `program`; values of options complete as file names. */
export function completionScript(program: Command, shell: Shell): string {
  const steps = stepsOf(program);
  switch (shell) {
    case 'bash':
      return bashScript(program.name(), steps);
    case 'zsh':
      return zshScript(program.name(), steps);
    case 'fish':
      return fishScript(program.name(), steps);
  }
}

function stepsOf(command: Command): CompletionStep[] {
  const words: CompletionWord[] = [
    ...command.commands.map(child => ({ word: child.name(), description: child.description(), kind: 'word' as const })),
    ...command.registeredArguments.flatMap(({ argChoices = [], description }) =>
      argChoices.map(word => ({ word, description, kind: 'word' as const })),
    ),
    ...command.options.map(({ long, description, required, optional }) => ({
      word: long ?? '',
      description,
      kind: required || optional ? ('option with value' as const) : ('flag' as const),
    })),
    { word: '--help', description: 'show help', kind: 'flag' },
  ];
  return [{ path: pathOf(command), words }, ...command.commands.flatMap(stepsOf)];
}

/** `--config|--tls-ca|...`: after one of these comes a value, not another word. */
function optionsWithValue(steps: readonly CompletionStep[]): string {
  const words = steps.flatMap(step => step.words).filter(({ kind }) => kind === 'option with value');
  return ['-s', '-o', ...new Set(words.map(({ word }) => word))].join('|');
}

/** Shell code that walks the words typed so far and leaves the command they name in `path`. */
function walk(steps: readonly CompletionStep[], indent: string): string {
  const paths = steps.slice(1).map(({ path }) => `"${path}") path="${path}" ;;`);
  return paths.map(line => indent + line).join('\n');
}

function bashScript(name: string, steps: readonly CompletionStep[]): string {
  const cases = steps.map(({ path, words }) => `    "${path}") words="${words.map(({ word }) => word).join(' ')}" ;;`);
  return `# Load it with: source <(${name} completion bash)
_${name}() {
  local path="${name}" words="" index
  case "\${COMP_WORDS[COMP_CWORD - 1]}" in ${optionsWithValue(steps)}) return ;; esac
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$path \${COMP_WORDS[index]}" in
${walk(steps, '      ')}
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${name} ${name}`;
}

function zshScript(name: string, steps: readonly CompletionStep[]): string {
  const described = ({ word, description }: CompletionWord): string => quote(`${word}:${oneLine(description)}`);
  const cases = steps.map(({ path, words }) => `    ("${path}") completions=(${words.map(described).join(' ')}) ;;`);
  return `#compdef ${name}
# Load it with: source <(${name} completion zsh)
_${name}() {
  local path_so_far="${name}" word
  local -a completions
  case "$words[CURRENT-1]" in (${optionsWithValue(steps)}) _files; return ;; esac
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$path_so_far $word" in
${walk(steps, '      ').replaceAll('path=', 'path_so_far=')}
    esac
  done
  case "$path_so_far" in
${cases.join('\n')}
  esac
  _describe ${name} completions || _files
}
compdef _${name} ${name}`;
}

function fishScript(name: string, steps: readonly CompletionStep[]): string {
  const lines = steps.flatMap(({ path, words }) =>
    words.map(({ word, description, kind }) => {
      const what = kind === 'word' ? `-f -a ${word}` : `-l ${word.replace(/^--/, '')}${kind === 'flag' ? '' : ' -r'}`;
      return `complete -c ${name} -n '__${name}_at "${path}"' ${what} -d ${quote(oneLine(description))}`;
    }),
  );
  const cases = steps.slice(1).map(({ path }) => `      case "${path}"\n        set path "${path}"`);
  return `# Load it with: ${name} completion fish | source
function __${name}_at
  set -l path ${name}
  for word in (commandline -opc)[2..-1]
    switch "$path $word"
${cases.join('\n')}
    end
  end
  test "$path" = "$argv[1]"
end
${lines.join('\n')}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll(':', ' -');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", '’')}'`;
}
