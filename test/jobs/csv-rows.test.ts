import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AIRPORT_COLUMNS, airportSchema } from '../../src/jobs/import-csv/airport.ts';
import { type CsvRow, inspect, RowReader, readRows } from '../../src/jobs/import-csv/rows.ts';

async function rowsOf(text: string, columns: readonly string[] = ['a', 'b']): Promise<CsvRow[]> {
  const rows: CsvRow[] = [];
  for await (const row of readRows(Buffer.from(text), columns)) rows.push(row);
  return rows;
}

describe('reading CSV', () => {
  test('handles quotes, both line ends and a byte order mark, and gives the line where each row ends', async () => {
    expect(await rowsOf('\ufeffB,a,extra\r\n1,"x, ""y""\nz",-\n\n\n2,3,\n')).toEqual([
      { line: 3, kind: 'fields', fields: { b: '1', a: 'x, "y"\nz', extra: '-' } },
      { line: 6, kind: 'fields', fields: { b: '2', a: '3', extra: '' } },
    ]);
  });

  test('reports rows with too few or too many fields', async () => {
    expect(await rowsOf('a,b\n1\n1,2,3\n1,2')).toEqual([
      { line: 2, kind: 'misshapen', reason: '1 fields instead of 2' },
      { line: 3, kind: 'misshapen', reason: '3 fields instead of 2' },
      { line: 4, kind: 'fields', fields: { a: '1', b: '2' } },
    ]);
  });

  test.each([
    ['', 'the CSV is empty'],
    ['\n\n', 'the CSV is empty'],
    ['a\n1\n', 'the header lacks b'],
    ['x,y\n1,2\n', 'the header lacks a, b'],
    ['a,b,A\n', 'the header has more than one a'],
    ['a,b\n1,"secret\n', 'not well-formed CSV at line 2 (CSV_QUOTE_NOT_CLOSED)'],
    ['a,b\n1,2\n1,sec"ret\n', 'not well-formed CSV at line 3 (INVALID_OPENING_QUOTE)'],
    ['a,b\n1,"sec"ret\n', 'not well-formed CSV at line 2 (CSV_INVALID_CLOSING_QUOTE)'],
    [`a,b\n1,"${'x'.repeat(300_000)}`, 'not well-formed CSV at line 2 (CSV_MAX_RECORD_SIZE)'],
  ])('refuses %j without quoting it', async (text, message) => {
    await expect(rowsOf(text)).rejects.toThrow(message);
  });

  test('lets other tasks run during a large text', async () => {
    const text = Buffer.from(`a,b\n${'1,2\n'.repeat(200_000)}`);
    let turns = 0;
    const count = () => {
      turns += 1;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);
    const { rows, bytes } = await inspect(text, ['a', 'b']);
    clearImmediate(immediate);
    expect(rows).toBe(200_000);
    expect(turns).toBeGreaterThanOrEqual(Math.floor(bytes / 65_536));
  });
});

test('skips to the requested range and ends with the text', async () => {
  const reader = new RowReader(Buffer.from('a\n1\n2\n3\n4\n5\n'), ['a']);
  const lines = async (first: number, last: number) =>
    (await reader.take(first, last)).map(({ line }) => line);
  expect(await lines(2, 3)).toEqual([3, 4]);
  expect(await lines(5, 9)).toEqual([6]);
  expect(await lines(10, 12)).toEqual([]);
  await reader.close();
});

describe('an airport', () => {
  const row = {
    iata: ' abq ',
    name: 'Albuquerque',
    city: 'NA',
    state: '',
    country: 'USA',
    latitude: '35.04022222',
    longitude: '-106.6091944',
  };

  test('is read from text', () => {
    expect(airportSchema.parse(row)).toEqual({
      iata: 'ABQ',
      name: 'Albuquerque',
      city: null,
      state: null,
      country: 'USA',
      latitude: 35.04022222,
      longitude: -106.6091944,
    });
  });

  test.each([
    ['iata', '', 'not three or four letters or digits'],
    ['iata', 'A1', 'not three or four letters or digits'],
    ['name', '  ', 'empty'],
    ['name', 'x'.repeat(201), 'longer than 200 characters'],
    ['city', 'a\0b', 'holds a control character'],
    ['country', undefined, 'missing'],
    ['latitude', '', 'not a decimal number'],
    ['latitude', '1e1', 'not a decimal number'],
    ['latitude', '90.1', 'above 90'],
    ['longitude', '-181', 'below -180'],
  ])('is refused with %s %j', (column, value, message) => {
    const { error } = airportSchema.safeParse({ ...row, [column]: value });
    expect(error?.issues).toMatchObject([{ path: [column], message }]);
  });

  test('is valid in every row of the shipped data', async () => {
    const text = readFileSync('data/airports.csv');
    let rows = 0;
    for await (const csvRow of readRows(text, AIRPORT_COLUMNS)) {
      if (csvRow.kind !== 'fields') throw new Error(csvRow.reason);
      airportSchema.parse(csvRow.fields);
      rows += 1;
    }
    expect(rows).toBe(3376);
  });
});
