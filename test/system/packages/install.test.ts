// SPDX-License-Identifier: MIT
// lab: --stock
// full: --kernel trixie --smp 1
// needs: packages
// The package under a real systemd in a bare Debian 12: started, with checks and traffic. In full runs dpkg installs,
// upgrades, removes and purges it there and in a Debian 13 with its own kernel. On 6.12 with one CPU: QEMU's
// multi-threaded emulation crashes when a running kernel patches its own code, as systemd makes it do.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GuestPackages } from '../../../lab/packages.ts';
import { type Namespace, type Nginx, startNginx, Topology } from '../../../lab/topology.ts';
import { Machine } from '../lvsd/systemd-machine.ts';

const prepared = fileURLToPath(new URL('../../../build/guest-packages.json', import.meta.url));
const { installed, full } = JSON.parse(readFileSync(prepared, 'utf8')) as GuestPackages;
const suite = process.env.LVSD_LAB === '6.12' ? 'trixie' : 'bookworm';

const FILE = '/etc/lvsd/lvsd.yaml';
const config = (onStop: string) =>
  JSON.stringify({
    version: 1,
    on_stop: onStop,
    services: {
      shop: {
        address: '10.99.0.10',
        port: 80,
        device: 'lo',
        scheduler: 'rr',
        check: { type: 'http', path: '/healthz', interval: '1s', rise: 1, fall: 2 },
        real_servers: ['10.2.0.2:80', '10.2.0.2:81'],
      },
    },
  });
/** While nothing listens at port 81. */
const TABLE = '-A -t 10.99.0.10:80 -s rr\n-a -t 10.99.0.10:80 -r 10.2.0.2:80 -m -w 1\n';

let machine: Machine;
let topology: Topology;
let client: Namespace;
let nginx: Nginx;
const ok = (...words: [string, ...string[]]) => machine.ok(...words);
const dpkg = (...words: string[]) => ok('env', 'DEBIAN_FRONTEND=noninteractive', 'dpkg', '--force-confdef', ...words);
const show = (name: string) => machine.property('lvsd', name);
const log = () => machine.run('journalctl', '-u', 'lvsd', '-u', 'lvsd-web', '-o', 'cat', '--no-pager').stdout;
const table = () => ok('lvsadm', '-Sn');
/** Files of the root, but those that dpkg and the journal keep for themselves. */
const files = () =>
  ok(
    'find',
    '/',
    '-xdev',
    '-not',
    '-path',
    '/var/lib/dpkg/*',
    '-not',
    '-path',
    '/var/log/*',
    '-not',
    '-path',
    '/tmp/*',
    '-not',
    '-path',
    '/var/cache/*',
  )
    .split('\n')
    .sort();

let bare: string[] = [];
before(async () => {
  execFileSync('modprobe', ['ip_vs']);
  machine = await Machine.boot('basic.target', {}, full?.[suite].depends ?? installed);
  topology = new Topology();
  client = topology.namespace('client');
  const server = topology.namespace('server');
  machine.link('out0', '10.1.0.2/24', { netns: 'client', device: 'eth0', address: '10.1.0.1/24' });
  machine.link('in0', '10.2.0.1/24', { netns: 'server', device: 'eth0', address: '10.2.0.2/24' });
  client.ip('route add 10.99.0.10/32 via 10.1.0.2');
  server.ip('route add default via 10.2.0.1');
  machine.write('/proc/sys/net/ipv4/ip_forward', '1');
  nginx = startNginx(server, { listen: ['80'], server: 'location = /healthz { return 200 "well\\n"; }' });
  // systemd itself writes /etc/.updated on its way there.
  const booted = () => machine.property('basic.target', 'ActiveState') === 'active';
  await machine.until('the end of the boot', booted);
  if (full) bare = files();
});
after(async () => {
  process.stderr.write(log());
  machine.off();
  nginx.stop();
  await topology.destroy();
});

test('installed, it is neither started nor enabled; started, it changes nothing until there is a service', async () => {
  if (full) assert.match(dpkg('-i', `/host${full.deb}`), /^lvsd is not started\./m);
  assert.match(ok('cat', '/etc/debian_version'), suite === 'trixie' ? /^13\./ : /^12\./);
  assert.deepEqual([show('ActiveState'), show('UnitFileState')], ['inactive', 'disabled']);
  ok('systemctl', 'start', 'lvsd');
  assert.equal(show('ActiveState'), 'active');
  // lvsd web, as a user without any right, reads by the group that the package has made.
  assert.equal(ok('stat', '-c', '%a %U %G', '/run/lvsd/read.sock'), '660 root lvsd\n');
  ok('systemctl', 'start', 'lvsd-web');
  const metrics = () => machine.run('curl', '-sS', 'http://127.0.0.1:5873/metrics').stdout;
  await machine
    .until('metrics', () => /^lvsd_up 1$/m.test(metrics()))
    .catch((error) => assert.fail(`${error}\n${log()}`));
  assert.equal(machine.property('lvsd-web', 'NRestarts'), '0');
  assert.equal(table(), '');
});

test('with a service it checks real servers, and clients reach the one that is up', async () => {
  machine.write(FILE, config('remove'));
  ok('systemctl', 'reload', 'lvsd');
  const status = () => ok('lvsctl', 'status');
  const checked = () => /^ +10\.2\.0\.2:80 +up .*status 200/m.test(status()) && /10\.2\.0\.2:81 +down /.test(status());
  await machine.until('results of checks', checked).catch(() => assert.fail(`${status()}\n${log()}`));
  assert.equal(table(), TABLE);
  assert.match(ok('lvsctl', 'status', '--brief'), /^shop +tcp 10\.99\.0\.10:80 .* 1 of 2 .* 10\.2\.0\.2:81$/m);
  nginx.clearLog();
  assert.equal(client.run('curl -sS -m 20 http://10.99.0.10/').stdout, 'server\n');
  assert.equal(nginx.log().filter(({ address, status }) => address === '10.1.0.1' && status === 200).length, 1);
});

// dpkg takes a minute for each on an emulated CPU. fullnat.test.ts has the upgrade of one that runs.
if (full) {
  test('an upgrade of one that is stopped does not start it', () => {
    ok('systemctl', 'stop', 'lvsd');
    assert.equal(table(), '');
    dpkg('-i', `/host${full.later}`);
    assert.equal(show('ActiveState'), 'inactive');
    assert.equal(ok('cat', FILE), config('remove'));
  });

  test('removed, traffic is as on_stop says; purged, nothing of it is left', () => {
    machine.write(FILE, config('keep'));
    ok('systemctl', 'start', 'lvsd');
    assert.equal(table(), TABLE);
    dpkg('-r', 'lvsd');
    assert.match(ok('cat', '/proc/net/ip_vs'), /^TCP +0A63000A:0050 rr/m);
    assert.equal(client.run('curl -sS -m 20 http://10.99.0.10/').stdout, 'server\n');
    assert.equal(ok('cat', FILE), config('keep'));
    dpkg('-P', 'lvsd');
    assert.deepEqual(files(), bare);
    assert.equal(machine.run('getent', 'group', 'lvsd').status, 2);
    assert.match(ok('cat', '/proc/modules'), /^ip_vs /m);
  });
}
