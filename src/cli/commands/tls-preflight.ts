import { type Command, Option } from 'commander';
import { TLS_MODES } from '../../node/node-options.ts';
import { clusterControl, type PreflightResponse } from '../../rpc/control-messages.ts';
import { obstacleInWords } from '../../rpc/mode-obstacles.ts';
import { wordCell } from '../cells.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import { EXIT } from '../exit-codes.ts';
import { redactionNote, silentObstaclesNote } from '../redaction-note.ts';
import type { CommandContext } from '../run-program.ts';
import { type Cell, renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';

/** `selvedgectl tls preflight` */
export function tlsPreflightCommand(context: CommandContext): Command {
  const command = onlineCommand('preflight', 'whether every node could move to a mode without cutting anybody off', [
    'selvedgectl tls preflight --to strict --config node.toml',
    'selvedgectl tls preflight --to optional && ./raise-the-mode',
  ])
    .addOption(new Option('--to <mode>', 'the mode to move to').choices(TLS_MODES).makeOptionMandatory())
    .addHelpText('after', '\nExits 3 when something stands in the way, or a member did not answer.');
  return command.action(async ({ to }: { to: string }) => {
    const session = sessionOf(command, context);
    const response = await session.call(clusterControl, 'Preflight', { to });
    const note = redactionNote(response) || silentObstaclesNote(response.nodes, to);
    session.print(response, () => renderPreflight(response, to, context.terminal), note);
    if (!response.ready) context.finish(EXIT.checkSaidNo);
  });
}

function renderPreflight({ ready, nodes, unreachable }: PreflightResponse, to: string, { paint }: Terminal): string {
  const rows: Cell[][] = [
    ...nodes.flatMap(({ nodeName, from, ready: isReady, obstacles, modeObstacles }) => {
      // One of an older version tells sentences alone.
      const [first = '', ...more] = modeObstacles.length === 0 ? obstacles : modeObstacles.map(obstacleInWords);
      const word = wordCell(isReady ? 'yes' : 'no');
      return [[nodeName, from, word, first], ...more.map((obstacle): Cell[] => [' ', ' ', ' ', obstacle])];
    }),
    ...unreachable.map(({ nodeName, reason }): Cell[] => [
      nodeName,
      '',
      wordCell('no'),
      `it did not answer: ${reason}`,
    ]),
  ];
  const verdict = ready ? paint('good', `ready for ${to}`) : paint('bad', `not ready for ${to}`);
  return `${renderTable(['NODE', 'MODE', 'READY', 'OBSTACLES'], rows, paint)}\n\n${verdict}`;
}
