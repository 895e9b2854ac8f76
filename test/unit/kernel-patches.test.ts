// SPDX-License-Identifier: MIT
// The committed kernel series: every patch builds on its own without a warning and has the kernel's style, sparse and
// W=1 report nothing new, and the DKMS package names exactly the modules that are built. Takes minutes the first time;
// results are kept in the cache by the content of the source.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../..', import.meta.url));
const patches = join(top, 'kernel-patches');

/** Runs `kernel-patches/build` on the committed series, whatever tree the caller may be working on. */
function build(...args: string[]) {
  const env = { ...process.env, LVSD_KERNEL_TREE: '' };
  const { status, stdout, stderr } = spawnSync(join(patches, 'build'), args, { encoding: 'utf8', env });
  assert.equal(status, 0, stderr);
  return { stdout: stdout.trim(), stderr };
}

const count = (text: string) => text.split('\n').filter((line) => /^\d{4}-.*\.patch$/.test(line)).length;

const kernels = readdirSync(patches).filter((name) => /^\d+\.\d+$/.test(name));

test('there is a series for 6.1', () => assert.ok(kernels.includes('6.1'), kernels.join(' ')));

for (const line of kernels) {
  const number = count(readFileSync(join(patches, line, 'series'), 'utf8'));

  test(`each of the ${number} patches for ${line} builds on its own, without a warning`, () => {
    assert.match(build('--kernel', line, '--each').stderr, new RegExp(`${number} patches, each builds by itself`));
  });

  test(`checkpatch --strict, sparse and W=1 report nothing for ${line}`, () => {
    const said = build('--kernel', line, '--check').stderr;
    assert.match(said, new RegExp(`checkpatch --strict: ${number} patches, nothing to say`));
    assert.match(said, /sparse and W=1: no new warning/);
  });
}

test('the DKMS package has the modules of kernel-patches/build and the version of package.json', () => {
  const script = `. "$1"; printf '%s\\n' "$PACKAGE_VERSION" "\${BUILT_MODULE_NAME[@]/%/.ko}"`;
  const conf = join(patches, 'dkms/dkms.conf');
  const { stdout, status } = spawnSync('bash', ['-c', script, 'bash', conf], { encoding: 'utf8' });
  assert.equal(status, 0);
  const [version, ...modules] = stdout.trim().split('\n');
  assert.equal(version, JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')).version);
  assert.deepEqual(modules.sort(), readdirSync(join(build('--print-dir').stdout, 'updates')).sort());
});
