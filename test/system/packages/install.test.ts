// SPDX-License-Identifier: MIT
// lab: --stock
// needs: packages
// The package under a real systemd in a bare Debian 12: installed, started, with checks of real servers; in full runs
// upgraded, removed and purged.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GuestPackages } from '../../../lab/packages.ts';
import { Machine } from '../lvsd/systemd-machine.ts';

const prepared = fileURLToPath(new URL('../../../build/guest-packages.json', import.meta.url));
const { layers, deb, later } = JSON.parse(readFileSync(prepared, 'utf8')) as GuestPackages;

const FILE = '/etc/lvsd/lvsd.yaml';
const config = (onStop: string) =>
  JSON.stringify({
    version: 1,
    on_stop: onStop,
    services: {
      shop: {
        address: '10.99.0.10',
        port: 80,
        scheduler: 'rr',
        check: { type: 'http', path: '/healthz', body: { matches: '^well' }, interval: '1s', rise: 1, fall: 2 },
        real_servers: ['127.0.0.1:8080', '127.0.0.1:8081'],
      },
    },
  });
/** While nothing listens at port 8081. */
const TABLE = '-A -t 10.99.0.10:80 -s rr\n-a -t 10.99.0.10:80 -r 127.0.0.1:8080 -m -w 1\n';

let machine: Machine;
const ok = (...words: [string, ...string[]]) => {
  const { status, stdout, stderr } = machine.run(...words);
  assert.equal(status, 0, `${words.join(' ')}: ${stdout}${stderr}`);
  return stdout;
};
const dpkg = (...words: string[]) => ok('env', 'DEBIAN_FRONTEND=noninteractive', 'dpkg', '--force-confdef', ...words);
const show = (name: string) => machine.property('lvsd', name);
const log = () => machine.run('journalctl', '-u', 'lvsd', '-o', 'cat', '--no-pager').stdout;
const readyLines = () => log().match(/^daemon: ready: .*$/gm) ?? [];
const table = () => ok('lvsadm', '-Sn');
const write = (text: string) => ok('sh', '-c', 'printf %s "$1" > "$0"', FILE, text);
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
  machine = await Machine.boot('basic.target', {}, layers);
  bare = files();
});
after(() => {
  process.stderr.write(log());
  machine.off();
});

test('installed, it is neither started nor enabled; started, it changes nothing until there is a service', async () => {
  assert.match(dpkg('-i', `/host${deb}`), /^lvsd is not started\./m);
  assert.deepEqual([show('ActiveState'), show('UnitFileState')], ['inactive', 'disabled']);
  ok('systemctl', 'start', 'lvsd');
  assert.equal(show('ActiveState'), 'active');
  // lvsd web, as a user without any right, reads by the group that the package has made.
  assert.equal(ok('stat', '-c', '%a %U %G', '/run/lvsd/read.sock'), '660 root lvsd\n');
  ok('systemctl', 'start', 'lvsd-web');
  assert.equal(machine.property('lvsd-web', 'ActiveState'), 'active');
  assert.equal(table(), '');
  // A real server by the Node that the package brings.
  const well = "require('http').createServer((_, answer) => answer.end('well')).listen(8080, '127.0.0.1')";
  ok('systemd-run', '--unit=well', '/usr/lib/lvsd/bin/node', '-e', well);
  write(config('remove'));
  ok('systemctl', 'reload', 'lvsd');
  const status = () => ok('lvsctl', 'status');
  const checked = () =>
    /^ +127\.0\.0\.1:8080 +up .*status 200/m.test(status()) && /127\.0\.0\.1:8081 +down /.test(status());
  await machine.until('results of checks', checked).catch(() => assert.fail(`${status()}\n${log()}`));
  assert.equal(table(), TABLE);
  assert.match(ok('lvsctl', 'status', '--brief'), /^shop +tcp 10\.99\.0\.10:80 .* 1 of 2 .* 127\.0\.0\.1:8081$/m);
});

// Each takes as long as the first, most of it for dpkg on an emulated CPU.
if (process.env.LVSD_COUNTS === 'full') {
  test('an upgrade restarts it without a change of the table, although on_stop is remove', async () => {
    const pid = show('MainPID');
    dpkg('-i', `/host${later}`);
    assert.equal(show('ActiveState'), 'active');
    assert.notEqual(show('MainPID'), pid);
    assert.equal(table(), TABLE);
    assert.equal(readyLines().at(-1), 'daemon: ready: 1 service, 0 operations, 0 failed');
    assert.doesNotMatch(log(), /removed what lvsd had added/);
    assert.equal(machine.run('test', '-e', '/run/lvsd/upgrading').status, 1);
    assert.equal(ok('cat', FILE), config('remove'));
  });

  test('an upgrade of one that is stopped does not start it', () => {
    ok('systemctl', 'stop', 'lvsd');
    assert.equal(table(), '');
    dpkg('-i', `/host${deb}`);
    assert.equal(show('ActiveState'), 'inactive');
  });

  test('removed, traffic is as on_stop says; purged, nothing of it is left', () => {
    write(config('keep'));
    ok('systemctl', 'start', 'lvsd');
    assert.equal(table(), TABLE);
    dpkg('-r', 'lvsd');
    assert.match(ok('cat', '/proc/net/ip_vs'), /^TCP +0A63000A:0050 rr/m);
    assert.equal(ok('cat', FILE), config('keep'));
    dpkg('-P', 'lvsd');
    assert.deepEqual(files(), bare);
    assert.equal(machine.run('getent', 'group', 'lvsd').status, 2);
    assert.match(ok('cat', '/proc/modules'), /^ip_vs /m);
  });
}
