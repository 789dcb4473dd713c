import type { Command } from 'commander';
import { type Connection, type ListConnectionsResponse, nodeControl } from '../../rpc/control-messages.ts';
import { expiryCell, redactable, securityCell, timeCell } from '../cells.ts';
import { onlineCommand, sessionOf } from '../ctl-command.ts';
import { redactionNote } from '../redaction-note.ts';
import type { CommandContext } from '../run-program.ts';
import { type Cell, renderTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';

/** `selvedgectl connections` */
export function connectionsCommand(context: CommandContext): Command {
  const command = onlineCommand('connections', 'open connections of a node, inbound and outbound', [
    'selvedgectl connections --config node.toml',
    'selvedgectl connections -o json | jq \'.[] | select(.security == "none")\'',
  ]);
  return command.action(async () => {
    const session = sessionOf(command, context);
    const response = await session.call(nodeControl, 'ListConnections', {});
    const { connections, addressesRedacted } = response;
    session.print(
      connections.map(connection => ({ ...connection, addressesRedacted })),
      () => renderConnections(response, context.terminal),
      redactionNote(response),
    );
  });
}

const HEADINGS = [
  'ID',
  'DIRECTION',
  'REMOTE',
  'SECURITY',
  'TLS',
  'IDENTITY',
  'NODE',
  'ROLES',
  'CALLS',
  'OPENED',
  'CERTIFICATE',
];

function renderConnections({ connections, addressesRedacted }: ListConnectionsResponse, terminal: Terminal): string {
  const now = terminal.now();
  const row = (connection: Connection): Cell[] => [
    String(connection.id),
    connection.direction,
    redactable(connection.remoteAddress, addressesRedacted),
    securityCell(connection.security, connection.securityReason),
    connection.tlsVersion,
    connection.security === 'none' ? '' : redactable(connection.identity, addressesRedacted),
    connection.nodeName,
    connection.roles.join(','),
    String(connection.activeCalls),
    timeCell(connection.openedAtMs, now),
    expiryCell(connection.certificateExpiresAtMs, now),
  ];
  return renderTable(HEADINGS, connections.map(row), terminal.paint);
}
