// SPDX-License-Identifier: MIT
// lab: --stock
// examples/lvsd.service under a real systemd: lvsd starts, checks, reloads and is restarted by the watchdog in its
// sandbox; lvsd-web.service serves its metrics without any right.
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kind } from '../../../src/control/events/kinds.ts';
import { MESSAGE_IDS } from '../../../src/control/events/message-ids.ts';
import { Machine } from './systemd-machine.ts';
import { UNIT, WEB_UNIT } from './systemd-unit.ts';

const FILE = '/etc/lvsd/lvsd.yaml';
const check = (script: string) => ({
  type: 'exec',
  user: 'nobody',
  command: ['/bin/sh', '-c', script],
  interval: '5s',
  // An emulated CPU takes half a second to start a program.
  timeout: '4s',
  fall: 1,
});
const CONFIG = {
  version: 1,
  services: {
    shop: {
      address: '10.99.0.10',
      port: 80,
      scheduler: 'sh',
      on_failure: 'inhibit',
      real_servers: [
        { address: '127.0.0.1', port: 8080, check: { type: 'tcp', interval: '1s' } },
        { name: 'who', address: '127.0.0.1', port: 8081, check: check('id -un >&2; exit 1') },
        { name: 'hangs', address: '127.0.0.1', port: 8082, check: check('exec sleep 4711') },
        { name: 'fine', address: '127.0.0.1', port: 8083, check: { ...check('true'), fall: 3 } },
      ],
    },
    removing: { fwmark: 7, real_servers: [] },
  },
  vrrp: { edge: { interface: 'edge0', virtual_router_id: 51, addresses: ['10.9.0.100/32'] } },
};

let machine: Machine;
const show = (name: string) => machine.property('lvsd', name);
const active = () => show('ActiveState') === 'active';
const log = (...words: string[]) => machine.run('journalctl', '-u', 'lvsd', '-o', 'cat', '--no-pager', ...words).stdout;
const table = () => machine.run('ipvsadm', '-Sn').stdout;

before(async () => {
  mkdirSync('/etc/lvsd', { recursive: true });
  writeFileSync(FILE, JSON.stringify(CONFIG));
  if (!/^lvsd:/m.test(readFileSync('/etc/group', 'utf8'))) appendFileSync('/etc/group', 'lvsd:x:987:\n');
  machine = await Machine.boot('lvsd.service', { ...UNIT, ...WEB_UNIT });
});
after(() => {
  process.stderr.write(log());
  machine.off();
});

test('it starts, notifies systemd, and has two capabilities besides those added', async () => {
  await machine.until('lvsd to be active', active);
  assert.match(show('StatusText'), /^2 services, /);
  const status = machine.run('cat', `/proc/${show('MainPID')}/status`).stdout;
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1];
  // CAP_KILL 5, CAP_SETGID 6, CAP_SETUID 7, CAP_NET_ADMIN 12, CAP_NET_RAW 13.
  assert.equal(Number.parseInt(field('CapEff') ?? '', 16), 0b11_0000_1110_0000);
  assert.deepEqual([field('NoNewPrivs'), field('Seccomp')], ['1', '2']);
  // In the sandbox only the sysctls of IPVS are writable.
  assert.equal(machine.run('cat', '/proc/sys/net/ipv4/vs/expire_nodest_conn').stdout, '1\n', log());
  // The kernel itself loaded ip_vs and the scheduler; the unit may not load modules.
  assert.match(table(), /^-A -t 10\.99\.0\.10:80 -s sh\n/);
});

test('lvsctl reaches it; checks run, also as another user, and a hanging program is killed', async () => {
  const server = (name: string) =>
    machine
      .run('lvsctl', 'status')
      .stdout.split('\n')
      .find((line) => line.trim().startsWith(name)) ?? '';
  await machine.until(
    'results of all checks',
    () =>
      /down.*exit status 1: nobody/.test(server('who')) &&
      /down.*no end of the program within 4s/.test(server('hangs')),
  );
  assert.match(server('127.0.0.1:8080'), /down .*connection refused/);
  assert.match(server('fine'), / up /);
  // SIGTERM ends a hanging program, so that only those of the last checks can be left.
  await sleep(11_000);
  const hanging = machine.run('pgrep', '-c', '-f', 'sleep 4711').stdout.trim();
  assert.ok(Number(hanging) <= 2, `${hanging} of them`);
});

test('a reload applies a file; an invalid one changes nothing and is reported', async () => {
  const [pid, before] = [show('MainPID'), table()];
  writeFileSync(FILE, JSON.stringify({ ...CONFIG, services: { shop: { ...CONFIG.services.shop, scheduler: 'rr' } } }));
  assert.equal(machine.run('systemctl', 'reload', 'lvsd').status, 0);
  assert.match(table(), / -s rr\n/);
  writeFileSync(FILE, 'version: 1\nservcies: {}\n');
  assert.equal(machine.run('systemctl', 'reload', 'lvsd').status, 1);
  assert.match(table(), / -s rr\n/);
  // The priority goes to the journal and is not part of the text.
  assert.match(log('-p', 'err'), /^config: .*servcies/m);
  assert.doesNotMatch(log('-p', 'err'), /^control: reload: requested by uid 0/m);
  assert.match(log(), /^control: reload: requested by uid 0, pid \d+$/m);
  writeFileSync(FILE, JSON.stringify(CONFIG));
  assert.equal(machine.run('systemctl', 'reload', 'lvsd').status, 0);
  assert.equal(table(), before);
  const entries = machine
    .run('journalctl', '-u', 'lvsd', '-o', 'json', '--no-pager')
    .stdout.split('\n')
    .filter((line) => line.includes('LVSD_KIND'))
    .map((line) => JSON.parse(line) as Record<string, string>);
  const kinds = ['daemon.starting', 'daemon.ready', 'real_server.down', 'service.quorum_lost', 'config.loaded'];
  for (const kind of [...kinds, 'config.rejected'] as Kind[]) {
    const entry = entries.find((one) => one.LVSD_KIND === kind) ?? assert.fail(`${kind}\n${log()}`);
    assert.equal(entry.MESSAGE_ID, MESSAGE_IDS[kind]);
    assert.match(entry.LVSD_SEQUENCE ?? '', /^\d+$/);
    assert.equal(entry.SYSLOG_IDENTIFIER, 'lvsd');
  }
  const who = entries.find((one) => one.LVSD_REAL_SERVER === 'who' && one.LVSD_KIND === 'real_server.down');
  assert.deepEqual([who?.LVSD_SERVICE, who?.LVSD_CODE, who?.PRIORITY], ['shop', 'exit_status', '4']);
  assert.equal(show('MainPID'), pid);
});

test('lvsd web serves metrics and events as a user without any right, and cannot open the control socket', async () => {
  assert.equal(machine.run('systemctl', 'start', 'lvsd-web').status, 0);
  const get = (path: string) => machine.run('curl', '-sS', '-m', '30', `http://127.0.0.1:5873${path}`).stdout;
  const failure = () => `${machine.run('journalctl', '-u', 'lvsd-web', '-o', 'cat', '--no-pager').stdout}\n${log()}`;
  await machine.until('metrics', () => /^lvsd_up 1$/m.test(get('/metrics'))).catch(() => assert.fail(failure()));
  assert.match(get('/metrics'), /^lvsd_services 2$/m);
  assert.match(
    machine.run('sh', '-c', 'curl -sS -m 5 http://127.0.0.1:5873/events | head -4').stdout,
    /^id: [0-9a-f]{8}:\d+$/m,
  );
  const pid = machine.property('lvsd-web', 'MainPID');
  const status = machine.run('cat', `/proc/${pid}/status`).stdout;
  assert.match(status, /^CapEff:\s*0+$/m);
  assert.match(status, /^CapBnd:\s*0+$/m);
  assert.doesNotMatch(status, /^Uid:\s*0\b/m);
  const [, uid = ''] = /^Uid:\s*(\d+)/m.exec(status) ?? [];
  const as = (...words: string[]) =>
    machine.run('setpriv', '--reuid', uid, '--regid', uid, '--groups', '987', ...words);
  assert.equal(as('lvsctl', '--socket', '/run/lvsd/read.sock', 'plan').status, 0);
  assert.equal(as('lvsctl', 'plan').status, 4);
  assert.equal(machine.run('systemctl', 'stop', 'lvsd-web').status, 0);
});

test('the VRRP process has real-time priority; when all is killed, its address is given away', async () => {
  for (const words of ['link add edge0 type dummy', 'addr add 10.9.0.1/24 dev edge0', 'link set edge0 up'])
    assert.equal(machine.run('ip', ...words.split(' ')).status, 0, words);
  const holds = () => machine.run('ip', '-o', 'addr').stdout.includes(' 10.9.0.100/32 ');
  await machine.until('the address', holds);
  const pid = machine.run('pgrep', '-f', 'vrrp.cjs').stdout.trim();
  const threads = () => machine.run('ps', '-L', '-o', 'cls=,rtprio=', '-p', pid).stdout.trim().split('\n');
  await machine.until('the priority of all threads', () => threads().every((one) => /^RR +10$/.test(one.trim())));
  assert.ok(threads().length > 4, threads().join());
  const restarts = Number(show('NRestarts'));
  // The daemon is killed first. The VRRP process, if it runs, may notice that and remove its address before it is killed.
  assert.equal(machine.run('kill', '-STOP', pid).status, 0);
  assert.equal(machine.run('systemctl', 'kill', '--kill-whom=all', '-s', 'KILL', 'lvsd').status, 0);
  await machine.until('a restart', () => Number(show('NRestarts')) > restarts && active());
  assert.match(log(), /^sent 1 advert of priority 0\naddresses of VRRP removed: 1$/m);
  await machine.until('the address again', holds);
  assert.equal(machine.run('systemctl', 'stop', 'lvsd').status, 0);
  assert.equal(holds(), false);
  assert.equal(machine.run('systemctl', 'start', 'lvsd').status, 0);
});

test('killed, then hung until the watchdog fires: restarted, with the table unchanged', async () => {
  const before = table();
  for (const signal of ['KILL', 'STOP']) {
    const [pid, restarts] = [show('MainPID'), Number(show('NRestarts'))];
    machine.run('kill', `-${signal}`, pid);
    await machine.until(`a restart after ${signal}`, () => Number(show('NRestarts')) > restarts && active());
    assert.notEqual(show('MainPID'), pid);
    assert.equal(table(), before, signal);
  }
});

test('stopped: no process remains, table and state stay', async () => {
  const before = table();
  assert.equal(machine.run('systemctl', 'stop', 'lvsd').status, 0);
  assert.deepEqual([show('ActiveState'), show('Result')], ['inactive', 'success']);
  assert.equal(machine.run('pgrep', '-f', 'health.cjs|exec.cjs|vrrp.cjs|lvsd run').stdout, '');
  assert.equal(table(), before);
  assert.equal(machine.run('stat', '-c', '%a %s', '/run/lvsd/state.json').stdout.split(' ')[0], '600');
  assert.equal(machine.run('test', '-e', '/run/lvsd/control.sock').status, 1);
});

test('an invalid file at the start fails once, without a restart loop', async () => {
  writeFileSync(FILE, 'version: 1\nservcies: {}\n');
  assert.equal(machine.run('systemctl', 'start', 'lvsd').status, 1);
  await sleep(3000);
  assert.deepEqual([show('ActiveState'), show('ExecMainStatus'), show('NRestarts')], ['failed', '2', '0']);
  const errors = log('-p', 'err');
  assert.match(errors, /^\/etc\/lvsd\/lvsd\.yaml:2:1: .*servcies/m);
});
