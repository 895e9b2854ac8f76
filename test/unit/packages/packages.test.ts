// SPDX-License-Identifier: MIT
// The Debian packages as `npm run package` builds them: contents, lintian, apt in a bare Debian 12; in full runs the same
// bytes from another folder. test/system/packages runs them under systemd.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { removeTree } from '../../../lab/bare-root.ts';
import { builtPackages, debOf, runInRoot, systemdRoot } from '../../../lab/packages.ts';

const top = join(fileURLToPath(import.meta.url), '../../../..');
const NAMES = ['lvsd', 'lvsd-ipvs-dkms', 'lvsd-ipvsadm', 'lvsd-toa-dkms'];
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string };

const scratch = mkdtempSync(join(tmpdir(), 'lvsd-packages-'));
after(() => removeTree(scratch));

let built = '';
before(async () => {
  built = await builtPackages();
});

const run = (command: string, ...words: string[]) =>
  execFileSync(command, words, { encoding: 'utf8', maxBuffer: 64 << 20 });

/** Files and links of a package: mode and owner by path. */
function listing(name: string): Map<string, string> {
  const lines = run('dpkg-deb', '-c', debOf(built, name)).split('\n').filter(Boolean);
  return new Map(
    lines
      .filter((line) => !line.startsWith('d'))
      .map((line) => {
        const [mode = '', owner = '', , , , ...path] = line.split(/\s+/);
        return [path.join(' '), `${mode} ${owner}`];
      }),
  );
}

test('lvsd has programs, addon, schema, unit, manual pages, completions and one configuration file', () => {
  const files = listing('lvsd');
  for (const program of ['sbin/lvsd', 'bin/lvsctl', 'sbin/lvsadm', 'sbin/lvsadm-save', 'sbin/lvsadm-restore'])
    assert.equal(files.get(`./usr/${program}`), '-rwxr-xr-x root/root', program);
  for (const file of [
    'etc/lvsd/lvsd.yaml',
    'lib/systemd/system/lvsd-web.service',
    'lib/systemd/system/lvsd.service',
    'usr/lib/lvsd/build/config/schema.json',
    'usr/lib/lvsd/build/native/lvsd.node',
    'usr/lib/lvsd/dist/web/index.html',
    'usr/lib/lvsd/dist/web/page.css',
    'usr/lib/lvsd/dist/web/page.js',
    'usr/lib/lvsd/dist/workers/exec.cjs',
    'usr/lib/lvsd/dist/workers/health.cjs',
    'usr/lib/lvsd/dist/workers/match.cjs',
    'usr/lib/lvsd/dist/workers/vrrp.cjs',
    'usr/lib/systemd/catalog/lvsd.catalog',
    'usr/lib/sysusers.d/lvsd.conf',
    'usr/lib/systemd/system-preset/90-lvsd.preset',
    'usr/share/bash-completion/completions/lvsctl',
    'usr/share/doc/lvsd/copyright',
    'usr/share/doc/lvsd/examples/lvsd.yaml',
    'usr/share/fish/vendor_completions.d/lvsd.fish',
    'usr/share/man/man5/lvsd.yaml.5.gz',
    'usr/share/man/man8/lvsadm.8.gz',
    'usr/share/man/man8/lvsctl.8.gz',
    'usr/share/man/man8/lvsd.8.gz',
    'usr/share/zsh/vendor-completions/_lvsd',
  ])
    assert.equal(files.get(`./${file}`), '-rw-r--r-- root/root', file);
  assert.equal(run('dpkg-deb', '-I', debOf(built, 'lvsd'), 'conffiles'), '/etc/lvsd/lvsd.yaml\n');
  // Nothing but what belongs there: a stray file of the build would be in one of these folders.
  const odd = [...files.keys()].filter((path) => !/^\.\/(etc|lib|usr)\/|^\.\/usr\/local\//.test(path));
  assert.deepEqual(odd, []);
});

test('files belong to root, are not setuid, and contain no path of this machine', () => {
  for (const name of NAMES) {
    for (const [path, mode] of listing(name)) assert.match(mode, /^[-l]rw[-x]r.[-x]r.[-x]|^lrwx.* root\/root$/, path);
    const into = join(scratch, name);
    run('dpkg-deb', '-R', debOf(built, name), into);
    const found = spawnSync('grep', ['-rlF', '-e', top, '-e', `${homedir()}/`, into], { encoding: 'utf8' });
    assert.equal(found.stdout, '', name);
  }
});

test('the sources of both DKMS packages build both kernel lines, under the version of the package', () => {
  const ipvs = run('dpkg-deb', '-f', debOf(built, 'lvsd-ipvs-dkms'), 'Version').trim();
  assert.ok(ipvs.startsWith(version));
  const files = listing('lvsd-ipvs-dkms');
  for (const file of ['dkms.conf', '6.1/series', '6.12/series', 'build'])
    assert.ok(files.has(`./usr/src/lvsd-ipvs-${ipvs}/${file}`), file);
  const conf = join(scratch, 'lvsd-ipvs-dkms/usr/src', `lvsd-ipvs-${ipvs}`, 'dkms.conf');
  assert.match(readFileSync(conf, 'utf8'), new RegExp(`^PACKAGE_VERSION="${ipvs.replaceAll(/[.+]/g, '\\$&')}"$`, 'm'));
  for (const file of ['dkms.conf', 'Kbuild', 'Makefile', 'toa_main.c'])
    assert.ok(listing('lvsd-toa-dkms').has(`./usr/src/lvsd-toa-${ipvs}/${file}`), file);
});

test('both DKMS packages say with Secure Boot, and only then, how their key is enrolled', () => {
  const script = readFileSync(join(top, 'debian/secure-boot.sh'), 'utf8');
  for (const name of ['lvsd-ipvs-dkms', 'lvsd-toa-dkms'])
    assert.ok(run('dpkg-deb', '-I', debOf(built, name), 'postinst').includes(script), name);
  const said = (variable: number[] | undefined, action = 'configure') => {
    const efivars = mkdtempSync(join(scratch, 'efivars-'));
    const path = join(efivars, 'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c');
    if (variable) writeFileSync(path, Uint8Array.from(variable));
    const env = { ...process.env, LVSD_EFIVARS: efivars };
    const { status, stdout, stderr } = spawnSync('sh', ['-ec', script, 'sh', action], { encoding: 'utf8', env });
    assert.deepEqual([status, stderr], [0, '']);
    return stdout;
  };
  // Four bytes of attributes, then the value.
  assert.match(said([6, 0, 0, 0, 1]), /^ {2}mokutil --import \/var\/lib\/dkms\/mok\.pub /m);
  for (const other of [[6, 0, 0, 0, 0], undefined]) assert.equal(said(other), '');
  assert.equal(said([6, 0, 0, 0, 1], 'abort-remove'), '');
});

test('lintian finds nothing', () => {
  const words = ['--allow-root', '--fail-on', 'error,warning', ...NAMES.map((name) => debOf(built, name))];
  const { status, stdout, stderr } = spawnSync('lintian', words, { encoding: 'utf8' });
  assert.deepEqual([stdout.replace(/^N: .*\n/gm, ''), status], ['', 0], stderr);
});

const sums = (dir: string) => readFileSync(join(dir, 'SHA256SUMS'), 'utf8');

test('SHA256SUMS has all files', () => {
  const packaged = run('dpkg-deb', '-f', debOf(built, 'lvsd'), 'Version').trim();
  assert.deepEqual(
    sums(built)
      .trim()
      .split('\n')
      .map((line) => line.replace(/^\S+ {2}/, '').replace(/_.*$/, '')),
    [`lvsd-${packaged}.oci.tar`, `lvsd-${version}.tgz`, 'lvsd-ipvs-dkms', 'lvsd-ipvsadm', 'lvsd-toa-dkms', 'lvsd'],
  );
  run('env', '-C', built, 'sha256sum', '--quiet', '-c', 'SHA256SUMS');
});

// A second build takes as long as all other tests of this file.
if (process.env.LVSD_COUNTS === 'full')
  test('built in another folder, with another umask, locale and time zone: the same bytes', () => {
    const copy = join(scratch, 'elsewhere/checkout');
    mkdirSync(dirname(copy), { recursive: true });
    const keep = (path: string) => !['build', 'dist'].map((name) => join(top, name)).includes(path);
    cpSync(top, copy, { recursive: true, verbatimSymlinks: true, filter: keep });
    const out = join(scratch, 'again');
    const command = `umask 077; exec "$0" tools/package.mjs --out "$1" --level 0`;
    const env = { ...process.env, TZ: 'Asia/Tokyo', LC_ALL: 'C' };
    execFileSync('sh', ['-c', command, process.execPath, out], { cwd: copy, env, stdio: 'pipe' });
    assert.equal(sums(out), sums(built));
  });

test('apt installs lvsd in a bare Debian 12: programs, manual pages and configuration work; purged, nothing is left', async () => {
  const layers = await systemdRoot();
  const deb = debOf(built, 'lvsd');
  const tool = debOf(built, 'lvsd-ipvsadm');
  const script = `
set +x
list() { find / -xdev \\( -path /proc -o -path /dev -o -path /tmp -o -path /var/lib/apt -o -path /var/log -o -path /var/cache/apt -o -path /var/cache/debconf -o -path /var/cache/man -o -path /var/cache/ldconfig \\) -prune -o -print | sort; }
apt-get -qq update
apt-get -qq -y install --no-install-recommends libstdc++6
list > /tmp/before
apt-get -qq -y install --no-install-recommends /debs/${basename(deb)} >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
tail -n 5 /tmp/out
! command -v node
lvsd --version; lvsctl --version; lvsadm -v
lvsd check
for page in 8/lvsd 8/lvsctl 8/lvsadm 8/lvsadm-save 5/lvsd.yaml; do man -w \${page%%/*} \${page#*/}; done
getent group lvsd
! command -v ipvsadm
apt-get -qq -y install /debs/${basename(tool)} >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
ipvsadm --version; readlink -f "$(command -v ipvsadm-save)"; man -w ipvsadm
apt-get -qq -y purge lvsd-ipvsadm lvsd >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
list > /tmp/after
diff /tmp/before /tmp/after && echo nothing left`;
  const output = runInRoot({ layers, script, network: true, binds: { '/debs': dirname(deb) } });
  assert.match(output, /^lvsd is not started\. Edit \/etc\/lvsd\/lvsd\.yaml, then: systemctl enable --now lvsd$/m);
  assert.match(output, new RegExp(`^lvsd ${version}\\nlvsctl ${version}\\nlvsadm v${version} `, 'm'), output);
  assert.match(output, /^\/etc\/lvsd\/lvsd\.yaml: OK: 0 services, 0 real servers$/m);
  for (const page of ['lvsd.8', 'lvsctl.8', 'lvsadm.8', 'lvsd.yaml.5'])
    assert.match(output, new RegExp(`^/usr/share/man/.*/${page}.gz$`, 'm'));
  assert.match(output, /^lvsd:x:\d+:$/m);
  assert.match(output, /^lvsadm v\S+ .*ipvsadm.*\n\/usr\/sbin\/lvsadm-save\n\/usr\/share\/man\/man8\/lvsadm\.8\.gz$/m);
  assert.match(output, /^nothing left$/m, output);
});
