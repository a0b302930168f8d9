import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitStatements } from './sql-statements.ts';

const FILE_NAME = /^(?<version>\d{4})_(?<name>[a-z]+(?:_[a-z0-9]+)+)\.sql$/;
const OPTIONAL_NAME = /^(?<name>[a-z]+)\.sql$/;
const NAME = /^[a-z]+(?:_[a-z0-9]+)+$/;

export interface OptionalPart {
  readonly name: string;
  readonly statements: readonly string[];
}

export interface MigrationFile {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}

/**
 * Reads the migrations of a folder, in order.
 *
 * @throws {Error} that names the file, if its name is not `NNNN_<verb>_<noun>.sql`, if numbers are missing or
 * repeated, or if the SQL contains no statement.
 */
export function readMigrationFiles(folder: string): MigrationFile[] {
  return fileNamesOf(folder).map((fileName, index) => {
    const groups = FILE_NAME.exec(fileName)?.groups;
    if (groups?.version === undefined || groups.name === undefined) {
      throw new Error(`${fileName}: a migration is named NNNN_<verb>_<noun>.sql, in lower case`);
    }
    const version = Number(groups.version);
    if (version !== index + 1) {
      throw new Error(`${fileName}: expected number ${String(index + 1).padStart(4, '0')} here`);
    }
    return { version, name: groups.name, statements: readStatements(folder, fileName) };
  });
}

/**
 * Reads the parts of the schema that are added when they are needed first, by their names.
 *
 * @throws {Error} that names the file, if it is not `<name>.sql`, or if the SQL contains no statement.
 */
export function readOptionalParts(folder: string): OptionalPart[] {
  return fileNamesOf(folder).map((fileName) => {
    const name = OPTIONAL_NAME.exec(fileName)?.groups?.name;
    if (name === undefined) throw new Error(`${fileName}: a part is named <noun>.sql, in lower case`);
    return { name, statements: readStatements(folder, fileName) };
  });
}

function fileNamesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}

function readStatements(folder: string, fileName: string): string[] {
  const sql = readFileSync(join(folder, fileName), 'utf8').replaceAll('\r\n', '\n');
  try {
    const statements = splitStatements(sql);
    if (statements.length === 0) throw new Error('no statement in it');
    return statements;
  } catch (error) {
    throw new Error(`${fileName}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Generates the TypeScript module with the migrations, for runtimes that can't read a folder. */
export function renderMigrations(
  files: readonly MigrationFile[],
  optional: readonly OptionalPart[] = [],
): string {
  return `// Generated from migrations/sqlite/*.sql by \`npm run migrations\`. Do not edit.

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}

export const migrations: readonly Migration[] = [
${files.map(renderMigration).join('')}];

/** Parts of the schema that are added when they are needed first. Adding them again changes nothing. */
export const optionalParts = {
${optional.map(({ name, statements }) => `  ${name}: [\n${renderStatements(statements)}  ],\n`).join('')}} satisfies Record<string, readonly string[]>;
`;
}

function renderMigration({ version, name, statements }: MigrationFile): string {
  return `  {\n    version: ${version},\n    name: '${name}',\n    statements: [\n${renderStatements(statements)}    ],\n  },\n`;
}

function renderStatements(statements: readonly string[]): string {
  return statements.map((statement) => `${templateLiteral(statement)},\n`).join('');
}

function templateLiteral(text: string): string {
  return `\`${text.replace(/[\\`]|\$\{/g, '\\$&')}\``;
}

/** Returns the file name of the next migration. @throws {Error} for a name that is not `<verb>_<noun>`. */
export function nextFileName(folder: string, name: string): string {
  if (!NAME.test(name)) throw new Error(`"${name}": a migration is named <verb>_<noun>, in lower case`);
  const count = readMigrationFiles(folder).length;
  return `${String(count + 1).padStart(4, '0')}_${name}.sql`;
}
