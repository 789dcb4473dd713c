import type { Report, Table, Unit } from './benchmark.ts';

const DIGITS: Readonly<Record<Unit, number>> = { ms: 2, us: 0, KiB: 1, x: 2, '%': 0, count: 0 };

const WIDTH = 100;

/** A report for people. */
export function renderReport({ method, tables }: Report): string {
  return [wrap(method), ...tables.map(renderTable)].join('\n\n');
}

function renderTable({ title, columns, rows }: Table): string {
  const header = [
    '',
    ...columns.map(column =>
      column.unit === 'count' || column.unit === 'x' ? column.title : `${column.title}, ${column.unit}`,
    ),
  ];
  const lines = rows.map(({ name, cells }) => [
    name,
    ...columns.map(({ unit }, index) => cells[index]?.toFixed(DIGITS[unit]) ?? '-'),
  ]);
  const widths = header.map((heading, column) =>
    Math.max(heading.length, ...lines.map(line => line[column]?.length ?? 0)),
  );
  const aligned = [header, ...lines].map(line =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  return [title, ...aligned.map(line => `  ${line}`)].join('\n');
}

function wrap(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}
