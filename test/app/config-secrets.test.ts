import { describe, expect, it } from 'vitest';
import { createAccess } from '../../src/app/access.ts';
import { readConfig } from '../../src/app/config.ts';
import { messageFor } from './config-message.ts';

describe('a refused configuration', () => {
  it('keeps no key after the access control has been created from it', async () => {
    const config = readConfig({ DURABLY_API_KEYS: 'ci:0123456789abcdef' });
    await createAccess(config);
    expect(JSON.stringify(config)).not.toContain('0123456789abcdef');
  });

  it.each([
    'sekretsekretsekret',
    'ci:short',
    ':sekretsekretsekret',
    'ci:sekretsekretsekret,',
    'ci:sekretsekretsekret,ci:sekretsekretsekret2',
    'ci:sekretsekretsekret,dash:sekretsekretsekret',
    'ci:sekret sekretsekret',
    'ci:sekretsekretsekretü',
    'c/i:sekretsekretsekret',
    'ci=sekretsekretsekret',
  ])('refuses the keys "%s" without quoting them', (DURABLY_API_KEYS) => {
    const shown = messageFor({ DURABLY_API_KEYS });
    expect(shown).toMatch(
      /^DURABLY_API_KEYS must be name:key pairs, split by commas: .*, got something else$/,
    );
    expect(shown).not.toContain('sekret');
  });

  it.each([
    ['ci:0123456789abcdef,dash:sekret', 'pair 2 (dash): its key has less than 16 characters'],
    ['0123456789abcdef:sekret', 'pair 1: its key has less than 16 characters'],
    ['ci:0123456789abcdef,ci:0123456789abcde2', 'pair 2 (ci): its name is that of pair 1'],
    ['ci:0123456789abcdef,', 'pair 2: it has no name'],
    ['sekretsekretsekret', 'pair 1: it has no key'],
    [`ci:${'x'.repeat(513)}`, 'pair 1 (ci): its key has more than 512 characters'],
  ])('says of the keys "%s" which pair is wrong and why', (DURABLY_API_KEYS, fault) => {
    const shown = messageFor({ DURABLY_API_KEYS });
    expect(shown).toContain(fault);
    expect(shown).not.toMatch(/sekret|0123456789/);
  });

  it('shows no secrets', () => {
    expect(messageFor({ TURSO_AUTH_TOKEN: 'to ken' })).not.toContain('ken,');
    expect(messageFor({ TURSO_AUTH_TOKEN: 'sec ret' })).not.toMatch(/sec|ret/);
    expect(messageFor({ TURSO_DATABASE_URL: 'mysql://me:secret@h/db?authToken=hidden' })).not.toMatch(
      /secret|hidden/,
    );
  });

  it.each([
    'libsql://user:hunter2@127.0.0.1:39999/x',
    'libsql://user:hunter2@hunter3@127.0.0.1:1/x',
    'libsql://user:hunter%402@127.0.0.1:1/x',
    'libsql://user:12/hunter@127.0.0.1:1/x',
    'https://user:hunter2/b@h',
    'https://user:hunter?x#y@h',
    'https://hunter2@h',
  ])('refuses the credentials in %s without quoting them', (TURSO_DATABASE_URL) => {
    const shown = messageFor({ TURSO_DATABASE_URL });
    expect(shown).toMatch(/^TURSO_DATABASE_URL must hold no user name .* TURSO_AUTH_TOKEN, got "/);
    expect(shown).not.toMatch(/user:|hunter/);
  });

  it.each([
    ['TURSO_DATABASE_URL', 'postgres://user:hunter@hunter2@h/x'],
    ['TURSO_DATABASE_URL', 'postgres:user:hunter2@h/x'],
    ['TURSO_DATABASE_URL', 'user:hunter@2\nhunter@h'],
    ['TURSO_DATABASE_URL', 'nosql://h/x?authToken=hunter@hunter'],
    ['DURABLY_FETCH_ORIGINS', 'https://a:hunter2@b,https://c:hunter3@d'],
    ['DURABLY_CORS_ORIGINS', 'https://a, https://c:hunter3@d/x'],
    ['DURABLY_BASE_PATH', `https://c:${'x'.repeat(190)}hunter2@d/x`],
  ])('shows no part of the credentials in %s=%s', (name, value) => {
    expect(messageFor({ [name]: value })).not.toMatch(/user|hunter|[ac]:/);
  });
});
