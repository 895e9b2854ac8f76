// SPDX-License-Identifier: MIT
// Full runs only: apt installs the DKMS packages in bare roots of Debian 12 and 13, DKMS builds all modules for the kernel
// whose headers are there, and a purge leaves nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { builtPackages, runInRoot, systemdRoot } from '../../../lab/packages.ts';

const top = join(fileURLToPath(import.meta.url), '../../../..');
const lab = () =>
  execFileSync(join(top, 'kernel-patches/build'), ['--kernel', '6.1', '--print-kver'], { encoding: 'utf8' }).trim();

/** Each release with the headers of the lab's kernel, or of its newest one. */
const ROOTS = [
  { suite: 'bookworm', headers: () => `linux-headers-${lab()}`, modules: 18, kernel: /^6\.1\.0-/ },
  { suite: 'trixie', headers: () => 'linux-headers-cloud-amd64', modules: 19, kernel: /^6\.12\./ },
] as const;

const SCRIPT = `set +x
list() { find / -xdev \\( -path /proc -o -path /dev -o -path /tmp -o -path /debs -o -path /var/lib/apt -o -path /var/log -o -path /var/cache/apt -o -path /var/cache/debconf -o -path /var/cache/man -o -path /var/cache/ldconfig \\) -prune -o -print | sort; }
apt-get -qq update
apt-get -qq -y --no-install-recommends install $HEADERS dkms git xz-utils gcc libc6-dev make >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
list > /tmp/before
apt-get -qq -y --no-install-recommends install /debs/lvsd-ipvs-dkms_*.deb /debs/lvsd-toa-dkms_*.deb >/tmp/out 2>&1 ||
  { cat /tmp/out /var/lib/dkms/*/*/build/make.log; exit 1; }
for module in $(find /lib/modules -path '*/updates/dkms/*' -name '*.ko*'); do modinfo -F vermagic "$module"; done
echo "kernel $(ls /lib/modules)"
apt-get -qq -y purge lvsd-ipvs-dkms lvsd-toa-dkms >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
find /lib/modules -path '*/updates/*' -name '*.ko*'
list > /tmp/after
diff /tmp/before /tmp/after | grep -v '/modules\\.[a-z.]*$' | grep '^[<>]' || echo nothing left`;

for (const { suite, headers, modules, kernel } of process.env.LVSD_COUNTS === 'full' ? ROOTS : []) {
  test(`${suite}: DKMS builds the modules of both packages; purged, nothing is left`, async () => {
    const binds = { '/debs': await builtPackages() };
    const env = { HEADERS: headers() };
    const output = runInRoot({ layers: await systemdRoot(suite), script: SCRIPT, network: true, binds, env });
    const version = /^kernel (\S+)$/m.exec(output)?.[1] ?? '';
    assert.match(version, kernel, output);
    const built = output.split('\n').filter((line) => line.startsWith(`${version} `));
    assert.equal(built.length, modules, output);
    assert.match(output, /^nothing left$/m, output);
  });
}
