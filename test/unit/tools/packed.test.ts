// SPDX-License-Identifier: MIT
// lvsadm starts from a pack of its bundle and of V8's code for it: this Node takes the code, and one that cannot use it
// compiles the bundle instead.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const top = join(fileURLToPath(import.meta.url), '../../../..');
const copy = mkdtempSync(join(tmpdir(), 'lvsd-packed-'));
after(() => rmSync(copy, { recursive: true, force: true }));

const pack = readFileSync(join(top, 'dist/bin/lvsadm.pack'));
const end = 16 + Number(pack.toString('latin1', 0, 16));

test('the code is accepted', () => {
  const script = new Script(pack.toString('latin1', 16, end), { cachedData: pack.subarray(end) });
  assert.equal(script.cachedDataRejected, false);
});

test('without usable code it does the same', () => {
  for (const part of ['dist/bin', 'package.json']) cpSync(join(top, part), join(copy, part), { recursive: true });
  const version = () => spawnSync(join(copy, 'dist/bin/lvsadm.cjs'), ['-v'], { encoding: 'utf8' });
  const { stdout, status } = version();
  assert.match(stdout, /^lvsadm v/);
  assert.equal(status, 0);
  for (const code of [Buffer.alloc(0), Buffer.from('x'.repeat(100)), pack.subarray(end, end + 4000)]) {
    writeFileSync(join(copy, 'dist/bin/lvsadm.pack'), Buffer.concat([pack.subarray(0, end), code]));
    const again = version();
    assert.deepEqual([again.status, again.stdout, again.stderr], [0, stdout, '']);
  }
});
