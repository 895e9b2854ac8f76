// SPDX-License-Identifier: MIT
// docs/lvsctl.md has each command with its arguments, each option, method and parameter; docs/events.md has the events.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EXIT } from '../../../src/base/errors.ts';
import { KINDS } from '../../../src/control/events/kinds.ts';
import { VERBS } from '../../../src/control/lvsctl/verbs/index.ts';
import { VERB_OPTIONS } from '../../../src/control/lvsctl/verbs/verb.ts';
import { METHODS } from '../../../src/control/methods.ts';

const page = readFileSync(new URL('../../../docs/lvsctl.md', import.meta.url), 'utf8');
const source = (path: string) => readFileSync(new URL(`../../../src/${path}`, import.meta.url), 'utf8');
const section = (title: string) => page.split(/^## /m).find((one) => one.startsWith(`${title}\n`)) ?? '';
const synopsis =
  page
    .split('\n\n')
    .find((part) => part.startsWith('    lvsctl '))
    ?.split('\n') ?? [];

test('the synopsis and the table have every command', () => {
  const shown = synopsis.flatMap((line) => line.trim().split(/ {2,}/)).map((text) => text.replace(/^lvsctl /, ''));
  for (const [name, { words }] of Object.entries(VERBS)) {
    const usage = `${name} ${words}`.trim();
    assert.ok(
      shown.some((text) => text === usage || text.startsWith(`${usage} [--`)),
      usage,
    );
    assert.match(page, new RegExp(`^\\| \`${name}(\`| )`, 'm'));
  }
  for (const text of shown) assert.ok(Object.hasOwn(VERBS, text.split(' ')[0] ?? ''), text);
});

test('every option of a command', () => {
  assert.deepEqual(
    Object.keys(VERB_OPTIONS).filter((name) => !page.includes(`--${name}`)),
    [],
  );
});

test('every method with its parameters', () => {
  const [methods = ''] = /^- Methods:[\s\S]*?(?=^- )/m.exec(section('The socket')) ?? [];
  for (const [name, { parameters }] of Object.entries(METHODS))
    for (const word of [name, ...Object.keys(parameters)])
      assert.ok(methods.includes(`\`${word}\``), `${name}: ${word}`);
});

test('docs/events.md has every kind of event, and every state', () => {
  const events = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8');
  const rows = [...events.matchAll(/^\| `(\w+\.\w+)` \| .* \| (.*) \|$/gm)].map(([, kind, text]) => [kind, text]);
  assert.deepEqual(rows, Object.entries(KINDS));
  const files = [
    'control/messages.ts',
    'control/reporter.ts',
    'control/handlers.ts',
    'commands/run.ts',
    'loader.ts',
    'state/saved.ts',
    'state/overrides-saver.ts',
  ];
  const states = files.flatMap((file) =>
    [...source(`daemon/${file}`).matchAll(/\bstates?: ([^,}\n]*(?:, '[^\n]*)?)/g)].flatMap(
      ([, text = '']) => text.match(/(?<=')[a-z ]+(?=')/g) ?? [],
    ),
  );
  assert.ok(states.length > 20, `${states}`);
  assert.deepEqual(
    [...new Set(states)].filter((state) => !events.includes(`\`${state}\``)),
    [],
  );
});

test('every exit status', () => {
  for (const status of Object.values(EXIT)) assert.match(section('Exit status'), new RegExp(`^\\| ${status} \\|`, 'm'));
});
