// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// lvsadm against Debian's ipvsadm on the same command lines: output, exit status and the kernel's table afterwards.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { asProcess, inProcess } from './answers.ts';
import { CHANGES, LISTINGS, MISUSE, RESTORES } from './cases.ts';
import { Twins } from './twins.ts';

const FULL = process.env.LVSD_COUNTS === 'full';

const lines = (text: string) => text.split('\n').filter((line) => line !== '');
const words = (line: string) => line.split(' ');

let twins: Twins;
before(() => {
  twins = new Twins();
});
after(() => twins.remove());

async function same(line: string, input?: string): Promise<void> {
  const { original, ours } = await twins.run(words(line), input);
  assert.deepEqual(ours, original, line);
}

async function sameTables(after?: string): Promise<void> {
  const { original, ours } = await twins.tables(after);
  assert.equal(ours, original);
}

describe('changes', () => {
  for (const line of lines(CHANGES))
    test(line, async () => {
      await same(line);
      await sameTables(line);
    });
  test('the tables are equal in every listing', () => sameTables());
});

describe('listings', () => {
  for (const line of [...lines(LISTINGS), '-L', ''])
    test(line || 'without arguments', async () => {
      const { original, ours } = await twins.list(line === '' ? [] : words(line));
      assert.deepEqual(ours, original);
    });
});

describe('misuse', () => {
  for (const line of lines(MISUSE))
    test(line, async () => {
      // lvsadm runs as a process in a full run only, since it takes ten times as long to start.
      // A mask of three numbers is accepted and changes the table, so that each program needs a table of its own.
      if (FULL || line.endsWith('-M 255.255.0')) return await same(line);
      const [original, ours] = await Promise.all([
        asProcess('ipvsadm', { words: words(line) }),
        inProcess({ words: words(line) }),
      ]);
      assert.deepEqual(ours, original, line);
    });
  test('the tables are as before', () => sameTables());
});

describe('save and restore', () => {
  test('restoring the saved rules gives the same table', async () => {
    const saved = (await twins.run(['-Sn'])).ours.stdout;
    await same('-C');
    await sameTables();
    await same('-R', saved);
    assert.equal((await twins.run(['-Sn'])).ours.stdout, saved);
    await sameTables();
    await same('-C');
  });
  for (const [index, input] of RESTORES.entries())
    test(`restore ${index + 1}`, async () => {
      await same('-R', input);
      await sameTables();
      await same('-C');
    });
});
