// SPDX-License-Identifier: MIT
// examples/lvsd.service and lvsd-web.service checked by systemd-analyze; test/system/lvsd/systemd.test.ts runs it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'lvsd-unit-'));
after(() => rmSync(folder, { recursive: true }));
// The programs must be there for systemd to accept it.
for (const program of ['lvsd', 'lvsctl']) {
  writeFileSync(join(folder, program), '');
  chmodSync(join(folder, program), 0o755);
}
/** A copy of the unit with these programs. */
function copied(name: string): string {
  const text = readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8');
  writeFileSync(join(folder, name), text.replace(/^(Exec\w+=-?)lvs/gm, `$1${folder}/lvs`));
  return join(folder, name);
}
const unit = copied('lvsd.service');
const text = readFileSync(unit, 'utf8');
const web = copied('lvsd-web.service');

const analyze = (...words: string[]) => spawnSync('systemd-analyze', words, { encoding: 'utf8' });
const skip = analyze('--version').status !== 0 && 'no systemd-analyze here';

test('systemd accepts the units without a warning', { skip }, () => {
  const { status, stderr } = analyze('verify', '--man=no', '--recursive-errors=no', unit, web);
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

test('and that of lvsd web, which has no right, at most 1.5', { skip }, () => {
  const { status, stdout } = analyze('security', '--offline=yes', '--no-pager', '--threshold=15', web);
  assert.equal(status, 0, stdout.split('\n').slice(-3).join('\n'));
});
