import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitStatements } from './sql-statements.ts';

const FILE_NAME = /^(?<version>\d{4})_(?<name>[a-z]+(?:_[a-z0-9]+)+)\.sql$/;
const NAME = /^[a-z]+(?:_[a-z0-9]+)+$/;

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
  const fileNames = readdirSync(folder).filter((name) => !name.startsWith('.'));
  return fileNames.sort().map((fileName, index) => {
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
export function renderMigrations(files: readonly MigrationFile[]): string {
  return `// Generated from migrations/sqlite/*.sql by \`npm run migrations\`. Do not edit.

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}

export const migrations: readonly Migration[] = [
${files.map(renderMigration).join('')}];
`;
}

function renderMigration({ version, name, statements }: MigrationFile): string {
  const texts = statements.map((statement) => `${templateLiteral(statement)},\n`);
  return `  {\n    version: ${version},\n    name: '${name}',\n    statements: [\n${texts.join('')}    ],\n  },\n`;
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
