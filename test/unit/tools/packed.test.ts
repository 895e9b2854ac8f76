// SPDX-License-Identifier: MIT
// lvsadm starts from packs of its bundles and of V8's code for them: this Node takes the code; one that cannot use it
// compiles the bundle instead, and without the addon the pack is read.
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
for (const part of ['dist/bin', 'build/native', 'package.json'])
  cpSync(join(top, part), join(copy, part), { recursive: true });

const packs = ['dist/bin/lvsadm.pack', 'dist/bin/lvsadm-whole.pack'].map((name) => {
  const bytes = readFileSync(join(top, name));
  return { name, bytes, end: 16 + Number(bytes.toString('latin1', 0, 16)) };
});

/** One that the first pack is enough for, and one that needs both. */
const LINES = [['-A'], ['-v']];
const answers = () =>
  LINES.map((line) => {
    const { status, stdout, stderr } = spawnSync(join(copy, 'dist/bin/lvsadm.cjs'), line, { encoding: 'utf8' });
    return { status, stdout, stderr };
  });
const [refused, version] = answers();

test('the code is accepted', () => {
  for (const { name, bytes, end } of packs) {
    const script = new Script(bytes.toString('latin1', 16, end), { cachedData: bytes.subarray(end) });
    assert.equal(script.cachedDataRejected, false, name);
  }
  assert.deepEqual([refused?.status, refused?.stdout], [2, '']);
  assert.match(refused?.stderr ?? '', /^You need to supply the 'service-address' option/);
  assert.equal(version?.status, 0);
  assert.match(version?.stdout ?? '', /^lvsadm v/);
});

test('without usable code it does the same', () => {
  for (const { name, bytes, end } of packs) {
    for (const code of [Buffer.alloc(0), Buffer.from('x'.repeat(100)), bytes.subarray(end, end + 4000)]) {
      writeFileSync(join(copy, name), Buffer.concat([bytes.subarray(0, end), code]));
      assert.deepEqual(answers(), [refused, version], name);
    }
    writeFileSync(join(copy, name), bytes);
  }
});

test('without the addon it does what it can, and says what is missing', () => {
  rmSync(join(copy, 'build'), { recursive: true });
  assert.deepEqual(answers(), [refused, version]);
  const { status, stdout, stderr } = spawnSync(join(copy, 'dist/bin/lvsadm.cjs'), ['-Ln'], { encoding: 'utf8' });
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /^lvsadm: .*lvsd\.node: cannot open shared object file.*\n$/);
});
