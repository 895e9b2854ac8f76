// SPDX-License-Identifier: MIT
// The toa module's option walker, built for user space with sanitizers, on known and random lists.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const source = join(import.meta.dirname, '../../toa-module/test/option-fuzz.c');
const dir = mkdtempSync(join(tmpdir(), 'toa-option-'));
after(() => rmSync(dir, { recursive: true, force: true }));

test('it finds TOA in option lists, reports only clients in the list, and reads no byte beyond it', () => {
  const program = join(dir, 'option-fuzz');
  const flags = [
    '-O1',
    '-g',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
  ];
  execFileSync('cc', [...flags, '-o', program, source], { stdio: 'pipe' });
  const rounds = process.env.LVSD_COUNTS === 'full' ? '100000000' : '1000000';
  const seed = String(Date.now() % 1_000_000);
  const output = execFileSync(program, [rounds, seed], { encoding: 'utf8', stdio: 'pipe' });
  const [, withToa, malformed] = /^\d+ lists: (\d+) with TOA, (\d+) malformed$/m.exec(output) ?? [];
  assert.ok(Number(withToa) > 1000 && Number(malformed) > 1000, `seed ${seed}: ${output}`);
});
