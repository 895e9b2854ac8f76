// SPDX-License-Identifier: MIT
// Options before the command, the names of the program, and the scripts around it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGlobalOptions } from '../../../src/ipvsadm/command-line/global-options.ts';
import { main } from '../../../src/ipvsadm/index.ts';
import { saveWords, withoutComments } from '../../../src/ipvsadm/scripts.ts';

const take = (line: string) => parseGlobalOptions(line.split(' '), 'lvsadm');

async function run(words: readonly string[], program?: string) {
  const printed = { out: '', err: '' };
  const output = {
    closed: false,
    out: (text: string) => {
      printed.out += text;
    },
    err: (text: string) => {
      printed.err += text;
    },
    flush: () => {},
  };
  return { status: await main(words, { ...(program && { program }), output }), ...printed };
}

test('--strict and --netns are global options only before the command', () => {
  assert.deepEqual(take('--netns blue --strict -Ln'), { rest: ['-Ln'], strict: true, netns: 'blue' });
  assert.deepEqual(take('--netns=/proc/1/ns/net -S'), { rest: ['-S'], strict: false, netns: '/proc/1/ns/net' });
  assert.deepEqual(take('-Ln --strict').rest, ['-Ln', '--strict']);
  assert.deepEqual(parseGlobalOptions([], 'lvsadm').rest, []);
  for (const line of ['--netns', '--netns=', '--netns= -L']) assert.throws(() => take(line), { status: 2 });
  assert.throws(() => take('--strict'), { status: 255 });
});

test('a missing namespace: one line, status 1', async () => {
  const { status, out, err } = await run(['--netns', 'no-such-namespace', '-Ln']);
  assert.deepEqual([status, out], [1, '']);
  assert.equal(err, 'cannot enter the network namespace /run/netns/no-such-namespace (ENOENT)\n');
});

test("called as ipvsadm it prints ipvsadm's version", async () => {
  assert.deepEqual(await run(['-v'], 'ipvsadm'), {
    status: 0,
    out: 'ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n',
    err: '',
  });
  assert.match((await run(['-v'])).out, /^lvsadm v\d/);
  assert.equal(
    (await run(['nonsense'], 'ipvsadm')).err,
    "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n",
  );
});

test('the options of lvsadm-save', () => {
  assert.deepEqual(saveWords([]), ['-S']);
  assert.deepEqual(saveWords(['-n']), ['-S', '-n']);
  assert.deepEqual(saveWords(['word', '-n', '--strict']), ['--strict', '-S', '-n']);
  for (const word of ['-h', '--help', '-x', '-nn', '-']) assert.equal(saveWords([word]), undefined);
});

test('lvsadm-restore ignores lines that begin with #', async () => {
  async function* chunks() {
    yield '# one\n-A -t 192.0.2.';
    yield Buffer.from('1:80\n#two\n #not a comment to the script\n\n# last');
  }
  assert.equal(await withoutComments(chunks()), '-A -t 192.0.2.1:80\n #not a comment to the script\n\n');
});
