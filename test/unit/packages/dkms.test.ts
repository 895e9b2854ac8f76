// SPDX-License-Identifier: MIT
// Full runs only: apt has installed the DKMS packages in bare roots of Debian 12 and 13, DKMS has built all modules for
// the kernel there, and a purge leaves nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelRoot, runInRoot, withPackages } from '../../../lab/packages.ts';

const ROOTS = [
  { suite: 'bookworm', kernel: /^6\.1\.0-/, ipvs: 17 },
  { suite: 'trixie', kernel: /^6\.12\..*\+deb13-/, ipvs: 18 },
] as const;

const LIST =
  'find / -xdev \\( -path /proc -o -path /dev -o -path /tmp -o -path /root -o -path /var/lib/apt -o -path /var/log -o -path /var/cache/apt -o -path /var/cache/debconf -o -path /var/cache/man -o -path /var/cache/ldconfig \\) -prune -o -print | sort';

const modules = 'find /lib/modules -path "*/updates/*" -name "*.ko*"';
const PURGE = (name: string) => `set +x
for module in $(${modules}); do echo "$(modinfo -F vermagic "$module" | cut -d" " -f1)" "$module"; done
apt-get -qq -y purge ${name} >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
${LIST}`;

for (const { suite, kernel, ipvs } of process.env.LVSD_COUNTS === 'full' ? ROOTS : []) {
  test(`${suite}: DKMS builds the modules of both packages; purged, nothing is left`, async () => {
    const base = await kernelRoot(suite);
    const [first = '', ...rest] = runInRoot({ layers: base, script: `set +x; ls /lib/modules; ${LIST}` })
      .trim()
      .split('\n');
    assert.match(first, kernel);
    for (const [module, count] of [
      ['lvsd-ipvs-dkms', ipvs],
      ['lvsd-toa-dkms', 1],
    ] as const) {
      // The balancers of the test in the guest have the same layers.
      const names = module === 'lvsd-ipvs-dkms' ? ['lvsd', module] : [module];
      const output = runInRoot({ layers: await withPackages(suite, names, base), script: PURGE(names.join(' ')) });
      const lines = output.trim().split('\n');
      const built = lines.filter((line) => line.startsWith(`${first} /lib/modules/${first}/updates/dkms/`));
      assert.equal(built.length, count, output);
      const left = lines.slice(count).filter((line) => !rest.includes(line));
      assert.deepEqual(left, [], module);
      const gone = rest.filter((line) => !lines.includes(line));
      assert.deepEqual(gone, [], module);
    }
  });
}
