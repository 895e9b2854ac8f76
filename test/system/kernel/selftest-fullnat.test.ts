// SPDX-License-Identifier: MIT
// lab: --uml
// The series' own selftest, as a kernel developer would run it, on the debug kernel.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const patches = fileURLToPath(new URL('../../../kernel-patches', import.meta.url));

test('ipvs_fullnat.sh passes on the debug kernel', () => {
  const source = execFileSync(join(patches, 'build'), ['--print-src'], { encoding: 'utf8' }).trim();
  const selftests = join(source, 'tools/testing/selftests/netfilter');
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-selftest-'));
  mkdirSync(join(dir, 'linux'));
  copyFileSync(join(source, 'include/uapi/linux/ip_vs.h'), join(dir, 'linux/ip_vs.h'));
  copyFileSync(join(selftests, 'ipvs_fullnat.sh'), join(dir, 'ipvs_fullnat.sh'));
  execFileSync('cc', ['-O1', '-I', dir, '-o', join(dir, 'ipvs_fullnat'), join(selftests, 'ipvs_fullnat.c')]);
  const { status, stdout, stderr } = spawnSync('sh', [join(dir, 'ipvs_fullnat.sh')], { encoding: 'utf8', cwd: dir });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /PASS/);
});
