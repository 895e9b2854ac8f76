// SPDX-License-Identifier: MIT
// The TCP option walker of the kernel series: the file of ip_vs.ko, compiled for user space with the address and
// undefined-behaviour sanitizers, and compared with a slow model on generated option areas.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../..', import.meta.url));
const areas = process.env.LVSD_COUNTS === 'full' ? 100_000_000 : 1_000_000;
const dir = mkdtempSync(join(tmpdir(), 'lvsd-tcpopt-'));
const fuzzer = join(dir, 'tcpopt');

/** Runs a program; throws with its output if it fails. */
function run(command: string, args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: top, encoding: 'utf8' });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout;
}

before(() => {
  const ipvs = join(run('kernel-patches/build', ['--print-src']).trim(), 'net/netfilter/ipvs');
  const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  const sources = ['tcpopt.c', 'model.c', 'generate.c'].map((name) => join('test/fuzz', name));
  const include = ['-Itest/fuzz/shim', `-I${ipvs}`];
  const flags = ['-O2', '-g', '-Wall', '-Werror', ...sanitize, ...include];
  run('gcc', [...flags, '-o', fuzzer, ...sources, join(ipvs, 'ip_vs_tcpopt.c')]);
});

after(() => rmSync(dir, { recursive: true, force: true }));

test(`${areas} TCP option areas are read, scrubbed, rebuilt and translated as the model says`, () => {
  const seen: Record<string, number> = JSON.parse(run(fuzzer, [String(areas), '1']));
  assert.equal(seen.areas, areas);
  // The generator must reach every kind of case.
  for (const [what, count] of Object.entries(seen)) assert.ok(count >= areas / 1000, `${what}: only ${count} times`);
});
