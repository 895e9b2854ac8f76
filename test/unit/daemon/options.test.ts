// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planText } from '../../../src/control/plan-text.ts';
import { parseOptions } from '../../../src/daemon/commands/options.ts';

const parse = (line: string) => parseOptions(line.split(' ').filter(Boolean));

test('a command and its options, in any order; defaults', () => {
  assert.deepEqual(parse('run'), {
    ...{ command: 'run', file: '/etc/lvsd/lvsd.yaml', socket: '/run/lvsd/control.sock', state: '/run/lvsd/state.json' },
    ...{ node: undefined, json: false, once: false },
  });
  assert.equal(parse('--json plan -f x.yaml').file, 'x.yaml');
  assert.equal(parse('plan --file=x.yaml --json').json, true);
  assert.equal(parse('check --node lb1').node, 'lb1');
});

test('command lines of keepalived', () => {
  assert.equal(parse('-t -f x').command, 'check');
  assert.equal(parse('-n').command, 'run');
  assert.equal(parse('-f x').command, 'run');
});

const wrong: [line: string, text: RegExp][] = [
  ['', /^missing command \(see lvsd --help\)$/],
  ['start', /^unknown command start; allowed: run, check, plan, apply, doctor, withdraw/],
  ['run now', /^unexpected argument now/],
  ['check --once', /^check does not take --once/],
  ['doctor -f x', /^doctor does not take --file/],
  ['run --jsn', /^unknown option '--jsn' \(see lvsd --help\)$/],
  ['run -f', /^option '-f, --file <value>' argument missing/],
];
for (const [line, text] of wrong)
  test(`wrong usage: lvsd ${line}`, () => {
    assert.throws(() => parse(line), { code: 'ERR_LVSD_USAGE', exitCode: 2, message: text });
  });

test('a plan and its summary', () => {
  assert.equal(planText([]), 'no difference\n');
  const lines = [{ sign: '+', service: 'a', text: 'one' } as const, { sign: '~', service: 'a', text: 'two' } as const];
  assert.equal(planText(lines), '+ one\n~ two\n1 to add, 1 to change, 0 to remove\n');
});
