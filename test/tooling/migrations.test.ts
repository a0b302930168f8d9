import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nextFileName, readMigrationFiles, renderMigrations } from '../../scripts/migration-files.ts';
import { splitStatements } from '../../scripts/sql-statements.ts';

describe('splitting SQL into statements', () => {
  test('keeps semicolons inside literals and quoted names', () => {
    expect(splitStatements(`select 'a;b''; c'; select "x;y", [z;], \`w;\` ;`)).toEqual([
      `select 'a;b''; c'`,
      `select "x;y", [z;], \`w;\``,
    ]);
  });

  test('drops comments, with the semicolons and quotes in them', () => {
    const sql =
      "-- it's; here\ncreate table t (\n  a, -- the first; one's\n\n  /* ' ; */\n  b\n) strict;\n-- end;\n";
    expect(splitStatements(sql)).toEqual(['create table t ( a, b ) strict']);
  });

  test('keeps what looks like a comment inside a literal', () => {
    expect(splitStatements("select '-- no', '/* no */';")).toEqual(["select '-- no', '/* no */'"]);
  });

  test.each(['create trigger', 'CREATE TEMP TRIGGER', 'create temporary trigger if not exists'])(
    'keeps the body of a %s whole',
    (opening) => {
      const trigger = `${opening} t after update on a begin
  update b set c = case when new.x then 1 else 2 end;
  -- nothing ends here: end;
  insert into d values ('; end;');
end`;
      const statements = splitStatements(`${trigger};\nselect 1;`);
      const kept = trigger.replace('\n  -- nothing ends here: end;', '').replaceAll(/\s+/g, ' ');
      expect(statements).toEqual([kept, 'select 1']);
    },
  );

  test('finds the same statements whatever their literals and comments contain', () => {
    const quoted = fc.tuple(fc.constantFrom("'", '"', '`'), fc.string());
    const literal = quoted.map(([mark, text]) => `${mark}${text.replaceAll(mark, mark + mark)}${mark}`);
    const comment = fc.string().map((text) => `--${text.replaceAll('\n', ' ')}\n`);
    const statement = fc.array(literal, { minLength: 1 }).map((literals) => `select ${literals.join(', ')}`);
    fc.assert(
      fc.property(fc.array(fc.tuple(statement, comment)), (parts) => {
        const sql = parts.map(([text, note]) => `${note}${text};${note}`).join('\n');
        expect(splitStatements(sql)).toEqual(parts.map(([text]) => text));
      }),
    );
  });

  test('accepts a table called trigger', () => {
    expect(splitStatements('create table trigger (a); select 1;')).toHaveLength(2);
  });

  test.each([
    ["select 'open;", "unterminated '"],
    ['select 1; select 2', 'no semicolon ends the statement that begins "select 2"'],
    ['create trigger t after insert on a begin select 1;', 'no semicolon ends'],
  ])('refuses %s', (sql, message) => {
    expect(() => splitStatements(sql)).toThrow(message);
  });
});

describe('a folder of migrations', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'durably-migrations-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const add = (name: string, sql = 'select 1;') => writeFileSync(join(folder, name), sql);

  test('is read in order', () => {
    add('0002_add_thing.sql', 'select 2; select 3;');
    add('0001_create_tables.sql');
    expect(readMigrationFiles(folder)).toEqual([
      { version: 1, name: 'create_tables', statements: ['select 1'] },
      { version: 2, name: 'add_thing', statements: ['select 2', 'select 3'] },
    ]);
    expect(nextFileName(folder, 'drop_thing')).toBe('0003_drop_thing.sql');
  });

  test.each([
    ['0002_add_thing.sql', 'expected number 0001'],
    ['1_add_thing.sql', 'NNNN_<verb>_<noun>.sql'],
    ['0001_Add_Thing.sql', 'NNNN_<verb>_<noun>.sql'],
    ['0001_things.sql', 'NNNN_<verb>_<noun>.sql'],
    ['notes.txt', 'NNNN_<verb>_<noun>.sql'],
  ])('refuses %s', (name, message) => {
    add(name);
    expect(() => readMigrationFiles(folder)).toThrow(message);
  });

  test('refuses duplicate numbers, and a file without a statement', () => {
    add('0001_create_tables.sql', '-- nothing yet;\n');
    expect(() => readMigrationFiles(folder)).toThrow('0001_create_tables.sql: no statement in it');
    add('0001_create_tables.sql');
    add('0001_create_others.sql');
    expect(() => readMigrationFiles(folder)).toThrow('expected number 0002');
  });

  test('becomes a module with the same texts', async () => {
    const statement = 'select \'`${x}` \\n\', "y"';
    const rendered = renderMigrations([{ version: 1, name: 'create_tables', statements: [statement] }]);
    const path = join(folder, 'rendered.ts');
    writeFileSync(path, rendered);
    const module: { migrations: unknown } = await import(pathToFileURL(path).href);
    expect(module.migrations).toEqual([{ version: 1, name: 'create_tables', statements: [statement] }]);
  });
});
