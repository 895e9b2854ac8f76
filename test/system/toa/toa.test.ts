// SPDX-License-Identifier: MIT
// also: --kernel 6.12
// The toa module on a real kernel: connections whose segments carry the option, and the results of accept() and
// getpeername(), nginx's log and the counters.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import {
  type Answer,
  ask,
  Caller,
  counted,
  inServer,
  kernelLog,
  kernelLogMark,
  loaded,
  mode,
  Rig,
  run,
  stats,
  trustFile,
  until,
} from './rig.ts';

const v4 = 7001;
const v6 = 7002;
const deferred = 7003;
const web = 7080;
const trust = '10.9.0.0/24';

const rig = new Rig();
const serverLines: string[] = [];
let accessLog = '';

before(async () => {
  if (loaded()) run('rmmod', 'toa');
  run('modprobe', 'toa', `trust=${trust}`);
  await rig.start();
  await rig.serve(v4, [], (line) => serverLines.push(line));
  await rig.serve(v6, ['6']);
  await rig.serve(deferred, ['defer']);
  accessLog = rig.nginx(web);
});

beforeEach(() => writeFileSync(trustFile, trust));

after(async () => {
  const last = stats();
  await rig.stop();
  run('rmmod', 'toa');
  assert.equal(last.probe_missed, 0);
});

function reports(answer: Answer, as: string): void {
  assert.equal(answer.accept, as);
  assert.equal(answer.getpeername, as);
}

const local = /^10\.9\.0\.254:\d+$/;
const localMapped = /^\[::ffff:10\.9\.0\.254\]:\d+$/;

test('accept() and getpeername() report the client', async () => {
  const change = await counted(async () => {
    const answer = await ask(mode.good, v4, '10.7.3.4');
    assert.match(answer.client, /^10\.7\.3\.4:/);
    reports(answer, answer.client);
  });
  assert.deepEqual(change, { syn_recv_sock_toa: 1, getname_toa_ok: 2 });
});

test('an AF_INET6 socket reports the client v4-mapped', async () => {
  const answer = await ask(mode.good, v6, '10.7.3.5');
  reports(answer, answer.client.replace(/^(.*):/, '[::ffff:$1]:'));
  const plain = await ask(mode.noToa, v6);
  assert.match(plain.accept, localMapped);
});

test('nginx answers and logs the client', async () => {
  const { client, body } = await new Promise<{ client: string; body: string }>((resolve, reject) => {
    const request = get({ host: `10.8.0.${mode.good}`, port: web, localAddress: '10.7.9.9', agent: false }, (reply) => {
      const client = `${reply.socket.localAddress}:${reply.socket.localPort}`;
      reply.setEncoding('utf8').once('data', (body: string) => resolve({ client, body }));
    });
    request.once('error', reject);
  });
  assert.equal(body, client);
  await until(() => readFileSync(accessLog, 'utf8').split('\n').includes(client), 'the line in nginx’s access log');
});

test('without TOA the balancer’s local address is reported, and counted', async () => {
  const change = await counted(async () => {
    const answer = await ask(mode.noToa, v4);
    assert.match(answer.accept, local);
    assert.equal(answer.getpeername, answer.accept);
  });
  assert.deepEqual(change, { syn_recv_sock_no_toa: 1, getname_toa_empty: 2 });
});

test('TOA from a source outside trust= is ignored, and counted', async () => {
  const change = await counted(async () => {
    const answer = await ask(mode.untrusted, v4);
    assert.match(answer.accept, /^10\.9\.1\.254:/);
  });
  assert.deepEqual(change, { syn_recv_sock_untrusted: 1, getname_toa_empty: 2 });
});

for (const name of ['badLength', 'truncated', 'portZero'] as const) {
  test(`a malformed option is ignored, and counted: ${name}`, async () => {
    const change = await counted(async () => assert.match((await ask(mode[name], v4)).accept, local));
    assert.deepEqual(change, { toa_malformed: 1, getname_toa_empty: 2 });
  });
}

for (const name of ['last', 'afterExperiment', 'forgedSecond'] as const) {
  test(`TOA is found among other options: ${name}`, async () => {
    const answer = await ask(mode[name], v4);
    reports(answer, answer.client);
  });
}

test('kind= selects the option kind', async () => {
  assert.match((await ask(mode.kind200, v4)).accept, local);
  run('rmmod', 'toa');
  run('modprobe', 'toa', `trust=${trust}`, 'kind=200');
  const answer = await ask(mode.kind200, v4);
  reports(answer, answer.client);
  assert.match((await ask(mode.good, v4)).accept, local);
  run('rmmod', 'toa');
  assert.throws(() => run('modprobe', 'toa', 'kind=8'), /Invalid argument/);
  run('modprobe', 'toa', `trust=${trust}`);
});

test('accept() and getpeername() report the client with SYN cookies', async () => {
  inServer('sysctl', '-qw', 'net.ipv4.tcp_syncookies=2');
  try {
    const answer = await ask(mode.good, v4, '10.7.4.4');
    reports(answer, answer.client);
    const mapped = await ask(mode.good, v6, '10.7.4.5');
    reports(mapped, mapped.client.replace(/^(.*):/, '[::ffff:$1]:'));
    assert.match(inServer('cat', '/proc/net/netstat'), /SyncookiesRecv/);
    const [names = '', values = ''] = inServer('cat', '/proc/net/netstat').split('\n');
    const received = values.split(' ')[names.split(' ').indexOf('SyncookiesRecv')];
    assert.equal(received, '2');
  } finally {
    inServer('sysctl', '-qw', 'net.ipv4.tcp_syncookies=1');
  }
});

test('TCP_DEFER_ACCEPT: the data segment completes the handshake', async () => {
  const answer = await ask(mode.good, deferred, '10.7.5.5', 'x');
  reports(answer, answer.client);
  // TOA only on the data segment suffices here, since it completes the handshake.
  const dataOnly = await ask(mode.dataOnly, deferred, '10.7.5.6', 'x');
  reports(dataOnly, dataOnly.client);
});

test('getpeername() reports the client later in a connection', async () => {
  const caller = new Caller(mode.good, v4, '10.7.6.6');
  const { client } = await caller.greeting();
  for (let i = 0; i < 3; i += 1) {
    caller.socket.write('x');
    assert.equal(await caller.line(), client);
  }
  await caller.close();
});

test('a reconnected socket reports its new peer', async () => {
  await rig.serve(9);
  const change = await counted(async () => {
    const caller = new Caller(mode.good, v4, '10.7.6.7');
    await caller.greeting();
    serverLines.length = 0;
    caller.socket.write('r');
    await until(() => serverLines.length > 0, 'the reconnected socket');
    await caller.close();
  });
  assert.deepEqual(serverLines, ['reconnected 10.9.0.10:9']);
  assert.equal(change.getname_toa_mismatch, 1);
});

test('trust= can be changed at run time; an invalid list changes nothing', async () => {
  writeFileSync(trustFile, '10.9.1.254,192.0.2.0/24');
  assert.equal(readFileSync(trustFile, 'utf8'), '10.9.1.254/32,192.0.2.0/24\n');
  const trusted = await ask(mode.untrusted, v4);
  reports(trusted, trusted.client);
  assert.match((await ask(mode.good, v4)).accept, local);

  for (const bad of ['10.9.0', '10.9.0.1/33', '10.9.0.1/24', 'any,none', '2001:db8::/32', '10.9.0.1,']) {
    assert.throws(() => writeFileSync(trustFile, bad), { code: 'EINVAL' }, bad);
  }
  assert.equal(readFileSync(trustFile, 'utf8'), '10.9.1.254/32,192.0.2.0/24\n');

  writeFileSync(trustFile, 'any');
  for (const how of [mode.good, mode.untrusted]) {
    const answer = await ask(how, v4);
    reports(answer, answer.client);
  }
});

test('an invalid trust= fails the load and is named', () => {
  run('rmmod', 'toa');
  const mark = kernelLogMark();
  assert.throws(() => run('modprobe', 'toa', 'trust=10.9.0.1/24'), /Invalid argument/);
  assert.match(
    kernelLog(mark).join('\n'),
    /trust=: "10\.9\.0\.1\/24" has bits set beyond its prefix length: write 10\.9\.0\.0\/24/,
  );
  assert.equal(loaded(), false);
  run('modprobe', 'toa', `trust=${trust}`);
});

test('an empty trust= ignores TOA, warns once, and counts', async () => {
  run('rmmod', 'toa');
  const mark = kernelLogMark();
  run('modprobe', 'toa');
  const change = await counted(async () => {
    for (let i = 0; i < 3; i += 1) assert.match((await ask(mode.good, v4)).accept, local);
  });
  assert.equal(change.syn_recv_sock_untrusted, 3);
  const lines = kernelLog(mark);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /trust= is empty: TOA is ignored from every sender/);
});

test('a connection beyond max_entries continues without TOA, and is counted', async () => {
  const limit = '/sys/module/toa/parameters/max_entries';
  const was = readFileSync(limit, 'utf8');
  writeFileSync(limit, '1');
  try {
    const first = new Caller(mode.good, v4, '10.7.7.1');
    const greeting = await first.greeting();
    reports(greeting, greeting.client);
    const change = await counted(async () => assert.match((await ask(mode.good, v4)).accept, local));
    assert.deepEqual(change, { syn_recv_sock_toa: 1, toa_not_kept: 1, getname_toa_empty: 2 });
    await first.close();
  } finally {
    writeFileSync(limit, was);
  }
});

test('an entry ends with its socket', async () => {
  await until(() => stats().entries === 0, 'no entries are left of earlier connections');
  const callers = Array.from({ length: 20 }, (_, i) => new Caller(mode.good, v4, `10.7.8.${i + 1}`));
  for (const caller of callers) await caller.greeting();
  assert.equal(stats().entries, 20);
  for (const caller of callers.slice(0, 10)) await caller.close();
  await until(() => stats().entries === 10, '10 entries are left');
  for (const caller of callers.slice(10)) caller.socket.resetAndDestroy();
  await until(() => stats().entries === 0, 'no entry is left');
});

test('counters are per namespace, in the old file’s format', () => {
  const text = inServer('cat', '/proc/net/toa_stats');
  const lines = text.split('\n');
  assert.match(lines[0] ?? '', /^ {34}CPU0 {7}(CPU\d+ {7})*$/);
  for (const line of lines.slice(1, -1)) assert.match(line, /^[a-z_]+ *:( *\d+ )+$/);
  assert.equal(lines[1]?.indexOf(':'), 25);
  const mine = readFileSync('/proc/net/toa_stats', 'utf8');
  assert.match(mine, /^syn_recv_sock_toa +:( +0 )+$/m);
});
