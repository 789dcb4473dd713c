import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderFields, renderTable } from './table.ts';
import { paintInColour, paintNothing } from './terminal.ts';

test('columns are as wide as their widest text, and no line ends in spaces', () => {
  const table = renderTable(
    ['NODE', 'STATE'],
    [
      ['node-1', 'ready'],
      ['a-longer-name', { text: 'refused', colour: 'bad' }],
    ],
    paintNothing,
  );
  assert.equal(table, 'NODE            STATE\nnode-1          ready\na-longer-name   refused');
});

test('colours do not count as width', () => {
  const table = renderTable(['A', 'B'], [[{ text: 'bad', colour: 'bad' }, 'x']], paintInColour);
  const plain = table.replace(/\u001b\[\d+m/g, '');
  assert.equal(plain, renderTable(['A', 'B'], [['bad', 'x']], paintNothing));
  assert.notEqual(plain, table);
});

test('a cell that is empty or missing shows as a dash', () => {
  assert.equal(renderTable(['A', 'B'], [['']], paintNothing), 'A   B\n-   -');
});

test('a table without rows is its headings', () => {
  assert.equal(renderTable(['A', 'B'], [], paintNothing), 'A   B');
});

test('a cell stays in its line and keeps control characters to itself', () => {
  const table = renderTable(['A'], [['x\ny\u001b[31m']], paintNothing);
  assert.equal(table, 'A\nx\\u000ay\\u001b[31m');
});

test('fields list several values below each other and leave out those without one', () => {
  const fields = renderFields(
    [
      ['name', 'node-1'],
      ['nothing', ''],
      ['names', ['a', { text: 'b', colour: 'good' }]],
    ],
    paintNothing,
  );
  assert.equal(fields, 'name      node-1\nnames     a\n          b');
});
