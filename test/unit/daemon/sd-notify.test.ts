// SPDX-License-Identifier: MIT
// sd_notify on real datagram sockets, by path and by abstract name, and the watchdog.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { native } from '../../../src/base/native.ts';
import { AF_UNIX, unixAddress } from '../../../src/base/unix-address.ts';
import { Notifier } from '../../../src/daemon/sd-notify.ts';
import { recordingLog } from '../../support/recording-log.ts';

const SOCK_DGRAM = 2;
const folder = mkdtempSync(join(tmpdir(), 'lvsd-notify-'));
after(() => rmSync(folder, { recursive: true }));
let managers = 0;

/** A socket in place of the service manager's, and the messages that it received. */
function manager(name = join(folder, `${managers++}.sock`)) {
  const socket = new (native().Socket)(AF_UNIX, SOCK_DGRAM, 0);
  socket.bind(unixAddress(name));
  const data = Buffer.alloc(2048);
  const info = new Int32Array(4);
  const received = () => {
    const messages: string[] = [];
    while (socket.receive(data, info) > 0) messages.push(data.toString('utf8', 0, info[0]));
    return messages;
  };
  return { name, received, [Symbol.dispose]: () => socket.close() };
}

test('every message, by path and by abstract name', () => {
  for (const name of [undefined, `@lvsd-notify-${process.pid}`]) {
    using systemd = manager(name);
    const env = { NOTIFY_SOCKET: systemd.name };
    const notifier = new Notifier(recordingLog(), env);
    assert.equal(notifier.active, true);
    assert.deepEqual(env, {}, 'children do not inherit it');
    const before = process.hrtime.bigint() / 1000n;
    notifier.ready('3 services');
    notifier.reloading();
    notifier.status('two\nlines \x1b[2J');
    notifier.stopping();
    const [ready, reloading = '', status, stopping, ...rest] = systemd.received();
    assert.equal(ready, 'READY=1\nSTATUS=3 services');
    assert.match(reloading, /^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloading$/);
    const at = BigInt(/USEC=(\d+)/.exec(reloading)?.[1] ?? 0);
    assert.ok(at >= before && at <= process.hrtime.bigint() / 1000n);
    assert.equal(status, 'STATUS=two\\nlines \\x1b[2J');
    assert.equal(stopping, 'STOPPING=1\nSTATUS=stopping');
    assert.deepEqual(rest, []);
    notifier.close();
  }
});

test('without a manager, or with an invalid address, nothing is sent', () => {
  for (const path of [undefined, '', 'relative', 'vsock:2:1234', `/${'x'.repeat(200)}`]) {
    const log = recordingLog();
    const notifier = new Notifier(log, path === undefined ? {} : { NOTIFY_SOCKET: path, WATCHDOG_USEC: '20000' });
    assert.equal(notifier.active, false);
    notifier.ready('x');
    notifier.watch(() => undefined);
    notifier.close();
    assert.equal(log.lines.length, path ? 1 : 0, log.lines.join());
  }
  const log = recordingLog();
  const notifier = new Notifier(log, { NOTIFY_SOCKET: join(folder, 'none') });
  notifier.ready('x');
  notifier.close();
  assert.match(log.lines.join(), /^warn cannot notify the service manager: sendmsg ENOENT/);
});

test('the watchdog is notified twice per period, unless there is a defect', async () => {
  using systemd = manager();
  const log = recordingLog();
  const notifier = new Notifier(log, {
    NOTIFY_SOCKET: systemd.name,
    WATCHDOG_USEC: '40000',
    WATCHDOG_PID: String(process.pid),
  });
  let defect: string | undefined;
  notifier.watch(() => defect);
  notifier.watch(() => undefined);
  const fed: string[] = [];
  for (let i = 0; i < 10; i++) {
    await sleep(31);
    fed.push(...systemd.received());
  }
  assert.ok(
    fed.every((message) => message === 'WATCHDOG=1'),
    fed.join(),
  );
  assert.ok(fed.length >= 8 && fed.length <= 17, `${fed.length} times in 310 ms, period 40 ms`);
  defect = 'health checks have stopped';
  systemd.received();
  await sleep(100);
  assert.deepEqual(systemd.received(), []);
  assert.deepEqual(log.lines, [
    'error not notifying the watchdog, the service manager will restart lvsd: health checks have stopped',
  ]);
  defect = undefined;
  await sleep(100);
  assert.ok(systemd.received().length >= 2);
  notifier.close();
  await sleep(60);
  assert.deepEqual(systemd.received(), []);
});

test('a watchdog for another process, or with an invalid period, is not notified', async () => {
  const odd = [
    { WATCHDOG_USEC: '20000', WATCHDOG_PID: '1' },
    { WATCHDOG_USEC: '0' },
    { WATCHDOG_USEC: '-5' },
    { WATCHDOG_USEC: '1e4' },
    { WATCHDOG_USEC: '' },
  ];
  for (const env of odd) {
    using systemd = manager();
    const notifier = new Notifier(recordingLog(), { ...env, NOTIFY_SOCKET: systemd.name });
    notifier.watch(() => undefined);
    await sleep(30);
    assert.deepEqual(systemd.received(), [], JSON.stringify(env));
    notifier.close();
  }
});

test('a slow manager receives everything later, in order', async () => {
  using systemd = manager();
  const notifier = new Notifier(recordingLog(), { NOTIFY_SOCKET: systemd.name });
  const queue = Number((await import('node:fs')).readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'utf8'));
  for (let i = 0; i <= queue; i++) notifier.status(`${i}`);
  notifier.status('waits');
  notifier.ready('last');
  const first = systemd.received();
  assert.ok(!first.join().includes('last'), 'the queue was full');
  await sleep(250);
  assert.deepEqual([...first, ...systemd.received()].slice(-3), [
    `STATUS=${queue}`,
    'STATUS=waits',
    'READY=1\nSTATUS=last',
  ]);
  notifier.close();
});
