// SPDX-License-Identifier: MIT
// also: --kernel 6.12
// The kernel's own IPVS selftest (tools/testing/selftests/netfilter/ipvs.sh, from 6.1's source, which
// needs no other file): direct routing, NAT and tunnelling on the patched modules, by ipvsadm and by lvsadm.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { byBoth } from '../lvsadm/in-place.ts';

const patches = fileURLToPath(new URL('../../../kernel-patches', import.meta.url));

function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

before(() => {
  assert.equal(run('modprobe', 'ip_vs').status, 0);
  assert.ok(existsSync('/proc/net/ip_vs_ext_stats'), 'these are not the patched modules');
});

function selftest(): void {
  const source = spawnSync(join(patches, 'build'), ['--print-src'], { encoding: 'utf8' });
  assert.equal(source.status, 0, source.stderr);
  const { status, output } = run('sh', join(source.stdout.trim(), 'tools/testing/selftests/netfilter/ipvs.sh'));
  assert.equal(status, 0, output);
  for (const mode of ['DR', 'NAT', 'Tunnel']) assert.match(output, new RegExp(`Testing ${mode} mode`));
  assert.match(output, /PASS/);
}

/** lvsadm's part does not depend on the kernel: outside the full run it is enough on one of the two. */
const both = process.env.LVSD_COUNTS === 'full' || !release().startsWith('6.12');

test(`ipvs.sh passes with Debian's ipvsadm${both ? ' and with lvsadm in its place' : ''}`, async () => {
  if (both) await byBoth(selftest);
  else selftest();
});
