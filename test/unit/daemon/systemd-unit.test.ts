// SPDX-License-Identifier: MIT
// examples/lvsd.service checked by systemd-analyze; test/system/lvsd/systemd.test.ts runs it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'lvsd-unit-'));
after(() => rmSync(folder, { recursive: true }));
const text = readFileSync(new URL('../../../examples/lvsd.service', import.meta.url), 'utf8');
// The programs must be there for systemd to accept it.
for (const program of ['lvsd', 'lvsctl']) {
  writeFileSync(join(folder, program), '');
  chmodSync(join(folder, program), 0o755);
}
const unit = join(folder, 'lvsd.service');
writeFileSync(unit, text.replace(/^(Exec\w+=-?)lvs/gm, `$1${folder}/lvs`));

const analyze = (...words: string[]) => spawnSync('systemd-analyze', words, { encoding: 'utf8' });
const skip = analyze('--version').status !== 0 && 'no systemd-analyze here';

test('systemd accepts the unit without a warning', { skip }, () => {
  const { status, stderr } = analyze('verify', '--man=no', '--recursive-errors=no', unit);
  assert.equal(stderr, '');
  assert.equal(status, 0);
});

test('systemd-analyze finds a mistake', { skip }, () => {
  const wrong = join(folder, 'wrong.service');
  writeFileSync(wrong, readFileSync(unit, 'utf8').replace('ProtectSystem=strict', 'ProtectSystem=very'));
  assert.match(analyze('verify', '--man=no', '--recursive-errors=no', wrong).stderr, /protect ?system/i);
});

test('systemd-analyze rates its exposure at most 2.5 of 10', { skip }, () => {
  const { status, stdout } = analyze('security', '--offline=yes', '--no-pager', '--threshold=25', unit);
  assert.equal(status, 0, stdout.split('\n').slice(-3).join('\n'));
});

test('it has CAP_NET_ADMIN and CAP_NET_RAW only', () => {
  assert.deepEqual(text.match(/^CapabilityBoundingSet=.*$/gm), ['CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW']);
  assert.equal(/^AmbientCapabilities=/m.test(text), false);
});
