// SPDX-License-Identifier: MIT
// The kernel's own IPVS selftest (tools/testing/selftests/netfilter/ipvs.sh, from the source that the modules are built
// from): direct routing, NAT and tunnelling on the patched modules.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const patches = fileURLToPath(new URL('../../kernel-patches', import.meta.url));

function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

before(() => {
  assert.equal(run('modprobe', 'ip_vs').status, 0);
  assert.ok(existsSync('/proc/net/ip_vs_ext_stats'), 'these are not the patched modules');
});

test('ipvs.sh passes', () => {
  const source = spawnSync(join(patches, 'build'), ['--print-src'], { encoding: 'utf8' });
  assert.equal(source.status, 0, source.stderr);
  const { status, said } = run('sh', join(source.stdout.trim(), 'tools/testing/selftests/netfilter/ipvs.sh'));
  assert.equal(status, 0, said);
  for (const mode of ['DR', 'NAT', 'Tunnel']) assert.match(said, new RegExp(`Testing ${mode} mode`));
  assert.match(said, /PASS/);
});
