// SPDX-License-Identifier: MIT
// lab: --stock --mem 3G
// full: --kernel trixie --smp 1
// needs: packages full-run
// Two bare Debian 12, or 13, with their own systemd, kernel modules and network, on one kernel: a balancer with lvsd and
// lvsd-ipvs-dkms, and a real server with nginx and lvsd-toa-dkms. apt has installed the packages, and DKMS built the
// modules, in these roots on the host; the VM boots their kernel without modules of ours. FULLNAT with the client's
// address, an upgrade under downloads, and the removal of both DKMS packages. One CPU on Debian 13: see install.test.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GuestPackages } from '../../../lab/packages.ts';
import { Machine } from '../lvsd/systemd-machine.ts';
import { Downloads } from './downloads.ts';

const prepared = fileURLToPath(new URL('../../../build/guest-packages.json', import.meta.url));
const { full } = JSON.parse(readFileSync(prepared, 'utf8')) as GuestPackages;
const suite = process.env.LVSD_LAB === '6.12' ? 'trixie' : 'bookworm';
const release = execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim();

const CLIENT = '10.1.0.1';
const LOCAL = '10.2.0.101';
const VIP = '10.99.0.10';
const CONFIG = {
  version: 1,
  on_stop: 'remove',
  local_addresses: { inner: { device: 'in0', addresses: [LOCAL] } },
  services: {
    shop: {
      address: VIP,
      port: 80,
      device: 'lo',
      scheduler: 'wrr',
      forward: 'fullnat',
      local_addresses: 'inner',
      check: { type: 'http', path: '/healthz', interval: '1s', rise: 1 },
      real_servers: ['10.2.0.2:80'],
    },
  },
};
// A stalled download is not the server's to end.
const SITE = `server {
  listen 80; root /var/www/html; send_timeout 1h; keepalive_timeout 0;
  location = /healthz { access_log off; return 200 "well\\n"; }
}`;

const COUNT = 50;
const LINES = 300_000;
const BODY = Buffer.from(Array.from({ length: LINES }, (_, index) => `${index + 1}\n`).join(''));

/** Masked, as in containers: the VM's devices are not theirs. */
const NO_UDEV = { 'systemd-udevd.service': '', 'systemd-udev-trigger.service': '' };

let balancer: Machine;
let server: Machine;
let downloads: Downloads | undefined;
const show = (name: string) => balancer.property('lvsd', name);
const log = () => balancer.run('journalctl', '-u', 'lvsd', '-o', 'cat', '--no-pager').stdout;
const table = () => balancer.ok('lvsadm', '-Sn');
const get = () => execFileSync('curl', ['-sS', '-m', '30', `http://${VIP}/`], { encoding: 'utf8' });
/** Addresses of the requests that nginx has logged since the last call. */
const logged = () => {
  const lines = server.ok('cat', '/var/log/nginx/access.log').split('\n').filter(Boolean);
  server.ok('truncate', '-s', '0', '/var/log/nginx/access.log');
  return lines.map((line) => line.split(' ')[0]);
};

before(async () => {
  assert.ok(full);
  [balancer, server] = await Promise.all([
    Machine.boot('basic.target', NO_UDEV, full[suite].balancer),
    Machine.boot('basic.target', NO_UDEV, full[suite].realServer),
  ]);
  // Modules that the kernel asks for by itself, such as schedulers, are the balancer's.
  const helper = '/run/balancer-modprobe';
  writeFileSync(helper, `#!/bin/sh\nexec nsenter -t ${balancer.pid} -m -r /sbin/modprobe "$@"\n`);
  chmodSync(helper, 0o755);
  writeFileSync('/proc/sys/kernel/modprobe', helper);
  balancer.link('out0', '10.1.0.2/24', { netns: String(process.pid), device: 'client0', address: `${CLIENT}/24` });
  balancer.link('in0', '10.2.0.1/24', { netns: server.pid, device: 'eth0', address: '10.2.0.2/24' });
  execFileSync('ip', ['route', 'add', `${VIP}/32`, 'via', '10.1.0.2']);
  server.write('/etc/nginx/sites-enabled/default', SITE);
  server.write('/var/www/html/index.html', 'whole\n');
  server.ok('sh', '-c', `seq ${LINES} > /var/www/html/body`);
  server.ok('systemctl', 'start', 'nginx');
});
after(() => {
  downloads?.close();
  process.stderr.write(log());
  balancer.off();
  server.off();
});

/** True if the loaded module is the one that DKMS has installed in this root. */
function fromDkms(machine: Machine, module: string): void {
  const path = machine.ok('modinfo', '-n', module).trim();
  const [folder, name = ''] = path.replace(/^\/usr/, '').split('/updates/dkms/');
  assert.equal(folder, `/lib/modules/${release}`);
  assert.match(name, new RegExp(`^${module}\\.ko(\\.xz)?$`));
  const version = machine.ok('modinfo', '-F', 'version', path);
  assert.notEqual(version, '');
  assert.equal(readFileSync(`/sys/module/${module}/version`, 'utf8'), version);
}

test('lvsd starts on the modules that DKMS has built, and FULLNAT carries traffic', async () => {
  for (const machine of [balancer, server]) {
    assert.match(machine.ok('cat', '/etc/debian_version'), suite === 'trixie' ? /^13\./ : /^12\./);
    assert.equal(machine.ok('ls', '/lib/modules'), `${release}\n`);
  }
  assert.match(release, suite === 'trixie' ? /^6\.12\.\d+\+deb13-/ : /^6\.1\.0-/);
  assert.doesNotMatch(readFileSync('/proc/modules', 'utf8'), /^(ip_vs|toa)/m);
  balancer.write('/etc/lvsd/lvsd.yaml', JSON.stringify(CONFIG));
  balancer.ok('systemctl', 'enable', '--now', 'lvsd');
  for (const module of ['ip_vs', 'ip_vs_wrr']) fromDkms(balancer, module);
  const status = () => balancer.ok('lvsctl', 'status');
  await balancer.until('the check', () => /^ +10\.2\.0\.2:80 +up .*status 200/m.test(status()));
  assert.match(balancer.ok('lvsadm', '-Ln'), /-> 10\.2\.0\.2:80 +FullNat +1 /);
  assert.equal(get(), 'whole\n');
  assert.deepEqual(logged(), [LOCAL]);
});

test('with lvsd-toa-dkms alone, a real server sees the client', () => {
  const packages = server.ok('dpkg-query', '-W', 'lvsd*').replaceAll(/^.*\t\n/gm, '');
  assert.match(packages, /^lvsd-toa-dkms\t\S+\n$/);
  // As docs/packages.md says.
  server.write('/etc/modprobe.d/toa.conf', `options toa trust=${LOCAL}\n`);
  server.ok('modprobe', 'toa');
  fromDkms(server, 'toa');
  assert.equal(get(), 'whole\n');
  assert.deepEqual(logged(), [CLIENT]);
});

test(`an upgrade under ${COUNT} downloads: no rule changes, although on_stop is remove, and all are whole`, async () => {
  assert.ok(full);
  const [pid, rules] = [show('MainPID'), table()];
  downloads = new Downloads(`http://${VIP}/body`, COUNT, BODY.length);
  const received = () => downloads?.received() ?? [];
  await balancer.until('all downloads to begin', () => received().every((bytes) => bytes > 0));
  const before = received();
  const dpkg = [
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'dpkg',
    '--force-confdef',
    '-i',
    `/host${full.later}`,
  ] as const;
  await balancer.start(...dpkg);
  const during = received();
  assert.ok(
    during.every((bytes, index) => bytes > (before[index] ?? 0) && bytes < BODY.length),
    during.join(),
  );

  assert.equal(show('ActiveState'), 'active');
  assert.equal(show('UnitFileState'), 'enabled');
  assert.notEqual(show('MainPID'), pid);
  assert.equal(balancer.ok('dpkg-query', '-W', 'lvsd'), 'lvsd\t99\n');
  assert.equal(table(), rules);
  assert.equal(
    log()
      .match(/^daemon: ready: .*$/gm)
      ?.at(-1),
    'daemon: ready: 1 service, 0 operations, 0 failed',
  );
  assert.doesNotMatch(log(), /removed what lvsd had added/);
  assert.equal(balancer.run('test', '-e', '/run/lvsd/upgrading').status, 1);
  assert.equal(balancer.ok('cat', '/etc/lvsd/lvsd.yaml'), JSON.stringify(CONFIG));

  const hash = createHash('sha256').update(BODY).digest('hex');
  const wanted = { ending: 'whole', received: BODY.length, hash };
  assert.deepEqual(await downloads.finish(), Array(COUNT).fill(wanted));
  assert.deepEqual(logged(), Array(COUNT).fill(CLIENT));
});

test('both DKMS packages purged: their modules stay loaded, and FULLNAT goes on with the client', () => {
  for (const [machine, name, module] of [
    [balancer, 'lvsd-ipvs-dkms', 'ip_vs'],
    [server, 'lvsd-toa-dkms', 'toa'],
  ] as const) {
    const version = readFileSync(`/sys/module/${module}/version`, 'utf8');
    machine.ok('env', 'DEBIAN_FRONTEND=noninteractive', 'dpkg', '-P', name);
    assert.equal(machine.run('test', '-e', `/lib/modules/${release}/updates/dkms`).status, 1);
    assert.equal(readFileSync(`/sys/module/${module}/version`, 'utf8'), version);
  }
  assert.equal(get(), 'whole\n');
  assert.deepEqual(logged(), [CLIENT]);
});
