import { printable } from '../telemetry/logger.ts';
import type { Colour, Paint } from './terminal.ts';

/** What stands in one place of a table. Texts of peers are made safe to print here. */
export type Cell = string | { readonly text: string; readonly colour: Colour };

const GAP = '   ';
const MAX_CELL_LENGTH = 500;

/** Columns under their headings, without borders. An empty cell shows as `-`; no row at all gives the headings alone. */
export function renderTable(names: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string {
  const headings = names.map(textOf);
  const texts = rows.map(row => headings.map((_, column) => textOf(row[column] ?? '')));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...texts.map(row => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[], colourOf: (column: number) => Colour | undefined): string =>
    cells
      .map((text, column) => {
        const colour = colourOf(column);
        const painted = colour === undefined ? text : paint(colour, text);
        const isLast = column === cells.length - 1;
        return isLast ? painted : painted + ' '.repeat((widths[column] ?? 0) - text.length);
      })
      .join(GAP);
  return [
    line(headings, () => 'heading'),
    ...texts.map((cells, row) => line(cells, column => colourOf(rows[row]?.[column]))),
  ].join('\n');
}

/** Names and values below each other. Several values stand one a line; one without a value is left out. */
export function renderFields(fields: readonly (readonly [string, Cell | readonly Cell[]])[], paint: Paint): string {
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  return fields
    .flatMap(([name, value]) => {
      const cells = (isList(value) ? value : [value]).filter(cell => rawTextOf(cell) !== '');
      return cells.map((cell, index) => {
        const label = (index === 0 ? name : '').padEnd(width);
        const colour = colourOf(cell);
        const text = textOf(cell);
        return `${paint('quiet', label)}${GAP}${colour === undefined ? text : paint(colour, text)}`;
      });
    })
    .join('\n');
}

function isList(value: Cell | readonly Cell[]): value is readonly Cell[] {
  return Array.isArray(value);
}

function textOf(cell: Cell): string {
  const text = rawTextOf(cell);
  return text === '' ? '-' : printable(text, MAX_CELL_LENGTH);
}

function rawTextOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}

function colourOf(cell: Cell | undefined): Colour | undefined {
  return cell === undefined || typeof cell === 'string' ? undefined : cell.colour;
}
