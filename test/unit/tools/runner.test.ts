// SPDX-License-Identifier: MIT
// The test runner's own parts: words, grouping by VM, lanes, and counts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Counts } from '../../../tools/lib/count-reporter.mjs';
import { inLanes, type Lane, vmsAtOnce } from '../../../tools/lib/lanes.mjs';
import { nodeTest } from '../../../tools/lib/node-test.mjs';
import { labGroups, testFiles } from '../../../tools/lib/test-files.mjs';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'lvsd-runner-'));
after(() => rmSync(dir, { recursive: true, force: true }));

test('a word matches a path with a slash or a dash', () => {
  const ports = ['test/system/fullnat/ports.test.ts'];
  assert.deepEqual(testFiles('test/system', ['fullnat-ports']), ports);
  assert.deepEqual(testFiles('test/system', ['fullnat/ports']), ports);
  assert.deepEqual(testFiles('test/system', ['no-such-word']), []);
});

const FULL_ONLY = 'test/system/packages/fullnat.test.ts';

test('every system test is in one group for each of its sets of options', () => {
  const all = testFiles('test/system');
  const groups = labGroups(all);
  const grouped = groups.flatMap(({ options, files }) => files.map((file) => `${file} ${options.join(' ')}`));
  assert.equal(new Set(grouped).size, grouped.length);
  for (const file of all) {
    const stock = /^\/\/ lab:.*--stock/m.test(readFileSync(join(top, file), 'utf8'));
    const mine = groups.filter(({ files }) => files.includes(file));
    assert.equal(mine.length > 0, file !== FULL_ONLY, file);
    for (const { options } of mine) assert.equal(options.includes('--stock'), stock, file);
  }
});

test('a full run has tests of the kernel modules on both kernels, some on the debug kernel, and some that only it has', () => {
  const optionsOf = (full: boolean, file = 'test/system/fullnat/pool.test.ts') =>
    labGroups([file], full).map(({ options }) => options.join(' '));
  assert.deepEqual(optionsOf(false), ['']);
  assert.deepEqual(optionsOf(true).sort(), ['', '--kernel 6.12', '--uml']);
  assert.deepEqual(optionsOf(false, FULL_ONLY), []);
  assert.deepEqual(optionsOf(true, FULL_ONLY).sort(), ['--stock --mem 3G', '--stock --mem 3G --kernel trixie --smp 1']);
});

test('LVSD_TEST_VMS sets how many VMs run at a time; with LVSD_LAB_LOCK it is one', () => {
  process.env.LVSD_TEST_VMS = '2';
  assert.equal(vmsAtOnce(), 2);
  delete process.env.LVSD_TEST_VMS;
  process.env.LVSD_LAB_LOCK = join(dir, 'lock');
  assert.equal(vmsAtOnce(), 1);
  delete process.env.LVSD_LAB_LOCK;
});

test('two lanes take jobs in order, each with its own place, and results keep the order of the jobs', async () => {
  process.env.LVSD_TEST_VMS = '2';
  const running: string[] = [];
  let most = 0;
  const job = (name: string, time: number) => async (lane: Lane) => {
    running.push(name);
    most = Math.max(most, running.length);
    await sleep(time);
    running.splice(running.indexOf(name), 1);
    return `${name} in place ${lane.env.LVSD_LAB_PLACE || 1}, ${lane.env.KEPT}`;
  };
  const results = await inLanes([job('a', 200), job('b', 20), job('c', 20)], { KEPT: 'kept' });
  delete process.env.LVSD_TEST_VMS;
  assert.deepEqual(results, ['a in place 1, kept', 'b in place 2, kept', 'c in place 2, kept']);
  assert.equal(most, 2);
});

test('counts are those of the leaves, with failures, their reasons and the time of each file', () => {
  const file = join(dir, 'made-up.test.mjs');
  writeFileSync(
    file,
    `import { describe, test } from 'node:test';
     describe('group', () => { test('passes', () => {}); test('fails', () => { throw new Error('no'); }); });
     test('skipped', { skip: true }, () => {});`,
  );
  const [command, args] = nodeTest([file], join(dir, 'counts.json'), []);
  // Without the variable by which node:test detects that it runs inside another test.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  assert.equal(spawnSync(command, args, { env }).status, 1);
  const counts: Counts = JSON.parse(readFileSync(join(dir, 'counts.json'), 'utf8'));
  assert.deepEqual([counts.passed, counts.failed, counts.skipped], [1, 1, 1]);
  assert.deepEqual(
    counts.failures.map(({ name, reason }) => [name, reason]),
    [['fails', 'no']],
  );
  assert.equal(counts.files.length, 1);
  assert.ok((counts.files[0]?.seconds ?? 0) > 0);
});
