// SPDX-License-Identifier: MIT
// Debian's dkms builds, installs and removes the modules from the packaged sources, for both kernel lines, beside the
// kernel's own modules, in folders of the test, so that this machine's kernel is not changed. Modules in the cache of
// kernel-patches/build are not rebuilt.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fetchKernel } from '../../lab/kernel.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const build = join(top, 'kernel-patches/build');
const dir = mkdtempSync(join(tmpdir(), 'lvsd-dkms-'));
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string };
const module = `lvsd-ipvs/${version}`;
const folders = [
  '--dkmstree',
  join(dir, 'dkms'),
  '--sourcetree',
  join(dir, 'src'),
  '--installtree',
  join(dir, 'modules'),
];
const env = {
  ...process.env,
  LVSD_KERNEL_TREE: '',
  LVSD_CACHE: process.env.LVSD_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lvsd'),
};

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: dir, encoding: 'utf8', env });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout.trim();
}

/** Copies the files of the npm package as docs/kernel.md says. */
before(() => {
  const source = join(dir, 'src', `lvsd-ipvs-${version}`);
  for (const name of ['src', 'dkms', 'modules']) mkdirSync(join(dir, name));
  run('npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', dir, top);
  const archive = readdirSync(dir).find((name) => name.endsWith('.tgz')) ?? '';
  run('tar', '-xzf', archive, 'package/kernel-patches');
  renameSync(join(dir, 'package/kernel-patches'), source);
  copyFileSync(join(source, 'dkms/dkms.conf'), join(source, 'dkms.conf'));
});

after(() => rmSync(dir, { recursive: true, force: true }));

const modulesIn = (folder: string) =>
  readdirSync(folder)
    .map((name) => /^(.*\.ko)(\.xz|\.zst|\.gz)?$/.exec(name)?.[1])
    .filter((name) => name !== undefined)
    .sort();

for (const line of ['6.1', '6.12'] as const) {
  test(`dkms builds, installs and removes the modules for ${line}`, async () => {
    const kernel = run(build, '--kernel', line, '--print-kver');
    const headers = run(build, '--kernel', line, '--print-headers');
    const wanted = modulesIn(join(run(build, '--kernel', line, '--print-dir'), 'updates'));
    const dkms = (verb: string, ...more: string[]) => run('dkms', verb, module, '-k', kernel, ...folders, ...more);
    const own = join(dir, 'modules', kernel, 'kernel/net/netfilter');
    const { root } = await fetchKernel(line);
    for (const part of ['ipvs', 'xt_ipvs.ko', 'xt_ipvs.ko.xz']) {
      const from = join(root, 'usr/lib/modules', kernel, 'kernel/net/netfilter', part);
      if (existsSync(from)) cpSync(from, join(own, part), { recursive: true });
    }
    const modulesBefore = modulesIn(join(own, 'ipvs'));
    assert.ok(modulesBefore.includes('ip_vs.ko'));
    dkms('build', '--kernelsourcedir', headers);
    const made = join(dir, 'dkms', module, kernel, 'x86_64/module');
    assert.deepEqual(modulesIn(made), wanted);
    for (const name of readdirSync(made)) {
      assert.ok(run('modinfo', '-F', 'vermagic', join(made, name)).startsWith(`${kernel} `), name);
    }
    dkms('install', '--no-depmod');
    const installed = join(dir, 'modules', kernel, 'updates/dkms');
    assert.deepEqual(modulesIn(installed), wanted);
    assert.ok(run('dkms', 'status', module, ...folders).includes(`${kernel}, x86_64: installed`));
    dkms('remove', '--no-depmod');
    assert.ok(!existsSync(installed) || modulesIn(installed).length === 0);
    assert.deepEqual(modulesIn(join(own, 'ipvs')), modulesBefore);
  });
}
