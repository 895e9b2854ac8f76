// SPDX-License-Identifier: MIT
// The manual pages and completions of lvsd and lvsctl have each command and option; lvsd.yaml(5) has each key.
// install.test.ts has man format the pages, and tries the completions of zsh and fish.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type JsonSchema, jsonSchema } from '../../../src/config/validator.ts';
import { helpText } from '../../../src/control/lvsctl/help.ts';
import { VERBS } from '../../../src/control/lvsctl/verbs/index.ts';
import { VERB_OPTIONS } from '../../../src/control/lvsctl/verbs/verb.ts';
import { HELP } from '../../../src/daemon/commands/help.ts';
import { COMMANDS, DEFINITIONS } from '../../../src/daemon/commands/options.ts';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'lvsd-manual-'));
after(() => rmSync(scratch, { recursive: true }));
writeFileSync(join(scratch, 'lvsd.help'), HELP);
writeFileSync(join(scratch, 'lvsctl.help'), helpText());

/** A page as plain text. */
const page = (name: string) =>
  readFileSync(join(top, 'build/man', name), 'utf8')
    .replace(/\\f[BR]/g, '')
    .replaceAll('\\-', '-');

/** Items of a page. */
const tags = (name: string): string[] => page(name).match(/(?<=^\.TP\n).*$/gm) ?? [];
const has = (list: readonly string[], word: string) =>
  list.some((line) => new RegExp(`(^|[^a-z-])${word}($|[^a-z-])`).test(line));

test('lvsctl(8): every command and option', () => {
  const found = tags('lvsctl.8');
  const options = ['socket', 'json', 'help', 'version', ...Object.keys(VERB_OPTIONS)];
  assert.deepEqual(
    [...Object.keys(VERBS), ...options.map((name) => `--${name}`)].filter((word) => !has(found, word)),
    [],
  );
});

test('lvsd(8): every command and option', () => {
  const [found, synopsis] = [tags('lvsd.8'), page('lvsd.8')];
  for (const command of COMMANDS) assert.match(synopsis, new RegExp(`^lvsd ${command}`, 'm'));
  const missing = Object.keys(DEFINITIONS).filter((name) => !has([...found, synopsis], `--${name}`));
  assert.deepEqual(missing, []);
  for (const status of ['0', '3', '5']) assert.ok(found.includes(status), status);
});

test('an item whose help goes on in a second line stays one item', () => {
  const [, overrides = ''] = /--overrides PATH\n([\s\S]*?)\n\.TP/.exec(page('lvsd.8')) ?? [];
  assert.match(overrides.replaceAll('\n', ' '), /^drains and other overrides, .* then they are in that file only$/);
  for (const name of ['lvsd.8', 'lvsctl.8']) {
    const options = page(name).match(/^\.SH OPTIONS\n([\s\S]*?)\n\.SH/m)?.[1] ?? '';
    assert.doesNotMatch(options, /^\.PP/m, name);
  }
});

test('lvsd.yaml(5): every key', () => {
  const found = new Set(tags('lvsd.yaml.5'));
  const missing = new Set<string>();
  const walk = (schema: JsonSchema) => {
    for (const [key, child] of Object.entries(schema.properties ?? {})) {
      // The types of checks are headings.
      if (!found.has(key) && key !== 'type') missing.add(key);
      walk(child);
    }
    for (const child of [...(schema.anyOf ?? []), ...Object.values(schema.definitions ?? {})]) walk(child);
    if (schema.items) walk(schema.items);
  };
  walk(jsonSchema());
  assert.deepEqual([...missing], []);
});

const STATUS = JSON.stringify(
  { services: [{ name: 'shop', realServers: [{ name: 'web1' }, { name: '10.31.4.3:8443' }] }] },
  null,
  2,
);

/** The completions that bash offers for the last word. */
function completed(program: string, ...words: string[]): string[] {
  writeFileSync(join(scratch, 'status.json'), STATUS);
  const script = `${program}() { case $1 in --help) cat "$scratch/${program}.help" ;; *) cat "$scratch/status.json" ;; esac; }
scratch=$1; source "$2"; shift 2
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _${program} 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const file = join(top, `completions/${program}.bash`);
  const { status, stdout } = spawnSync('bash', ['-c', script, 'bash', scratch, file, program, ...words], {
    encoding: 'utf8',
  });
  assert.equal(status, 0);
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash completes commands, options and names', () => {
  assert.deepEqual(completed('lvsctl', '').sort(), [...Object.keys(VERBS), 'help'].sort());
  assert.deepEqual(completed('lvsctl', 'events', '--fol'), ['--follow']);
  assert.deepEqual(completed('lvsctl', 'status', ''), ['shop']);
  assert.deepEqual(completed('lvsctl', 'undrain', ''), ['shop', 'web1', '10.31.4.3:8443']);
  assert.deepEqual(completed('lvsctl', '--json', 'drain', 'shop', 'w'), ['web1']);
  assert.deepEqual(completed('lvsctl', 'pause', ''), ['on', 'off']);
  assert.deepEqual(completed('lvsd', '').sort(), [...COMMANDS].sort());
  assert.deepEqual(completed('lvsd', 'check', '--fi'), ['--file']);
  const options = Object.keys(DEFINITIONS).map((name) => `--${name}`);
  const without = options.filter((name) => name !== '--help' && name !== '--version');
  assert.deepEqual(completed('lvsd', 'run', '--').sort(), without.sort());
});
