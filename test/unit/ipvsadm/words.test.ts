// SPDX-License-Identifier: MIT
// The man page, the completions and the help have every option, and bash offers the completions.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { optionsFor } from '../../../src/ipvsadm/command-line/options.ts';
import { helpText } from '../../../src/ipvsadm/help.ts';

const path = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));
const read = (name: string) => readFileSync(path(name), 'utf8');

/** True if the text has the name, not as a part of a longer one. */
const named = (text: string, prefix: string, name: string) =>
  new RegExp(`(^|[^a-z-])${prefix}${name}($|[^a-z-])`, 'm').test(text);

const names = [...optionsFor(undefined), ...optionsFor('add-server')].map(({ long }) => long);

for (const [where, text, prefix, without] of [
  ['the help', helpText('lvsadm'), '--', ['sort', 'sched-flags']],
  ['the man page', read('man/lvsadm.8'), '-', []],
  ['bash', read('completions/lvsadm.bash'), '--', ['sort']],
  ['zsh', read('completions/_lvsadm'), '--', ['sort']],
  ['fish', read('completions/lvsadm.fish'), '-l ', ['sort']],
] as const)
  test(`${where}: every option`, () => {
    const missing = names.filter((name) => !named(text, prefix, name) && !without.some((one) => one === name));
    assert.deepEqual(missing, []);
    for (const verb of ['diff', 'restore', 'save']) assert.match(text, new RegExp(`\\b${verb}\\b`));
  });

/** The completions that bash offers for the last word. */
function completed(...words: string[]): string[] {
  const script = `lvsadm() { echo '-A -t 192.0.2.1:80 -s rr'; }
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lvsadm 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stdout } = spawnSync('bash', ['-c', script, 'bash', path('completions/lvsadm.bash'), ...words], {
    encoding: 'utf8',
  });
  assert.equal(status, 0);
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash completes commands, options, schedulers and services', () => {
  assert.deepEqual(completed('lvsadm', 'di'), ['diff']);
  assert.deepEqual(completed('lvsadm', '-L', '--st'), ['--stats']);
  assert.deepEqual(completed('lvsadm', '-A', '-t', '192.0.2.1:80', '-s', 'w'), ['wrr', 'wlc']);
  assert.deepEqual(completed('lvsadm', '-D', '-t', '192'), ['192.0.2.1:80']);
  assert.deepEqual(completed('lvsadm', '-L', '--where', 'de'), ['dest=']);
});
