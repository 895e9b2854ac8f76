// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseOptions } from '../../../lab/cli.ts';
import { LabError } from '../../../lab/errors.ts';
import { cpio } from '../../../lab/initrd.ts';

test('options end at the first word of the command or at --', () => {
  assert.deepEqual(parseOptions(['--smp', '4', '--', '--odd', '-x']).command, ['--odd', '-x']);
  assert.deepEqual(parseOptions(['true', '--smp', '4']).command, ['true', '--smp', '4']);
  assert.equal(parseOptions(['--smp', '4', 'true']).cpus, 4);
  const { line, suite } = parseOptions(['--kernel', 'trixie', '--stock', 'true']);
  assert.deepEqual([line, suite], ['6.12', 'trixie']);
  assert.equal(parseOptions(['--icount', '--smp', '4', 'true']).cpus, 1);
});

const wrong = [
  [],
  ['--'],
  ['--bogus', 'true'],
  ['--smp', '0', 'true'],
  ['--mem', '2', 'true'],
  ['--kernel', '5.10', 'true'],
  ['--kernel', 'trixie', 'true'],
  ['--kernel', 'trixie', '--stock', '--uml', 'true'],
  ['--timeout'],
  ['--prepare', 'true'],
];
for (const argv of wrong) {
  test(`wrong usage: ${argv.join(' ') || '(nothing)'}`, () => {
    assert.throws(
      () => parseOptions(argv),
      (error: unknown) => error instanceof LabError && error.exitCode === 2,
    );
  });
}

test('cpio can read the initrd', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-cpio-'));
  const data = Buffer.from('hello\n');
  const archive = cpio([
    { path: 'folder', mode: 0o040755, data: new Uint8Array() },
    { path: 'folder/file', mode: 0o100640, data },
    { path: 'odd-length-name', mode: 0o100644, data: Buffer.alloc(4097, 1) },
  ]);
  const { stdout, status } = spawnSync('cpio', ['-tv', '--quiet'], { cwd: dir, input: archive, encoding: 'utf8' });
  rmSync(dir, { recursive: true });
  assert.equal(status, 0);
  const rows = stdout.trim().split('\n');
  const columns = rows.map((row) => row.split(/\s+/)).map((words) => [words[0], words[4], words.at(-1)]);
  assert.deepEqual(columns, [
    ['drwxr-xr-x', '0', 'folder'],
    ['-rw-r-----', '6', 'folder/file'],
    ['-rw-r--r--', '4097', 'odd-length-name'],
  ]);
});
