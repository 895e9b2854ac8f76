// SPDX-License-Identifier: MIT
// The addon: misuse from JavaScript throws, and no descriptor is left open.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { native, READABLE } from '../../src/base/native.ts';

const AF_UNIX = 1;
const AF_NETLINK = 16;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const open = () => new (native().Socket)(AF_UNIX, SOCK_DGRAM, 0);
const descriptors = () => readdirSync('/proc/self/fd').length;

/** struct sockaddr_un with an abstract name. */
const abstract = (name: string) => Buffer.concat([Buffer.from([AF_UNIX, 0, 0]), Buffer.from(name)]);
const name = (of: string) => abstract(`lvsd-test-${process.pid}-${of}`);

test('misuse of a connector is a TypeError', () => {
  const { Connector } = native();
  const connector = new Connector();
  const any = connector as unknown as Record<string, (...values: unknown[]) => unknown>;
  const address = Buffer.alloc(16);
  const wrong: [string, unknown[]][] = [
    ['connect', []],
    ['connect', ['text', null, 0]],
    ['connect', [Buffer.alloc(2), null, 0]],
    ['connect', [Buffer.alloc(200), null, 0]],
    ['connect', [address, 5, 0]],
    ['connect', [address, null]],
    ['connect', [address, null, 'x']],
    ['collect', []],
    ['connect', [address, null, 0, 5]],
    ['collect', [new Int32Array(2), Buffer.alloc(1)]],
    ['collect', [new Int32Array(3)]],
    ['collect', [new Int32Array(3), Buffer.alloc(0)]],
    ['collect', [new Uint8Array(8), Buffer.alloc(1)]],
    ['cancel', []],
    ['cancel', ['x']],
    ['established', []],
    ['watch', []],
    ['watch', [1]],
  ];
  for (const [method, values] of wrong)
    assert.throws(() => any[method]?.apply(connector, values), TypeError, `${method}(${values.map(String)})`);
  const members = Object.entries(Object.getOwnPropertyDescriptors(Connector.prototype));
  for (const [method, { value }] of members.filter(([each]) => each !== 'constructor'))
    for (const self of [{}, null, undefined, open(), Object.create(Connector.prototype) as object])
      assert.throws(() => Reflect.apply(value as () => unknown, self, []), TypeError, method);
  assert.throws(() => Reflect.apply(Connector, undefined, []), TypeError);
  // Numbers of no connection, and an invalid address family.
  for (const number of [-1, 0, 1, 2 ** 31 - 1]) {
    connector.cancel(number);
    assert.equal(connector.established(number), false);
  }
  assert.ok(connector.connect(address, null, 0) < 0);
  assert.equal(connector.collect(new Int32Array(3), Buffer.alloc(1)), 0);
});

test('a closed connector has closed its connections, and throws', async () => {
  const before = descriptors();
  const connector = new (native().Connector)();
  // No host answers there; TEST-NET-1 may be unreachable at once.
  const address = Buffer.from([2, 0, 0, 80, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  for (let i = 0; i < 10; i++) connector.connect(address, null, 0);
  connector.watch(() => {});
  connector.unref();
  connector.close();
  connector.close();
  connector.cancel(0);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(descriptors() <= before + 1);
  for (const act of [
    () => connector.connect(address, null, 0),
    () => connector.collect(new Int32Array(3), Buffer.alloc(1)),
  ])
    assert.throws(act, { code: 'EBADF' });
  assert.throws(() => connector.watch(() => {}), { code: 'EBADF' });
});

test('misuse of a socket or function is a TypeError', () => {
  const { Socket, enterNetns, peerCredentials, lockFile, setScheduler, setResourceLimit, execute } = native();
  const socket = open();
  const any = socket as unknown as Record<string, (...values: unknown[]) => unknown>;
  const wrong: [string, unknown[]][] = [
    ['bind', []],
    ['bind', ['text']],
    ['bind', [new Uint16Array(4)]],
    ['connect', [{}]],
    ['setsockopt', [1, 2]],
    ['setsockopt', [1.5, 2, 3]],
    ['setsockopt', [1, Number.NaN, 3]],
    ['setsockopt', [1, 2, 'x']],
    ['getsockopt', [1, 2, 0]],
    ['getsockopt', [1, 2, 1e9]],
    ['send', []],
    ['send', [[]]],
    ['send', [Buffer.alloc(1), 5]],
    ['sendBatch', [5]],
    ['sendBatch', [[1]]],
    ['sendBatch', [[Buffer.alloc(1)], []]],
    ['receive', [Buffer.alloc(8)]],
    ['receive', [Buffer.alloc(8), new Int32Array(0)]],
    ['receive', [Buffer.alloc(8), new Int32Array(3)]],
    ['receive', [Buffer.alloc(8), new Int32Array(65 * 4)]],
    ['receive', [Buffer.alloc(0), new Int32Array(4)]],
    ['listen', []],
    ['listen', ['x']],
    ['watch', [0, () => {}]],
    ['watch', [4, () => {}]],
    ['watch', [1]],
    ['watch', [1, 'x']],
  ];
  for (const [method, values] of wrong)
    assert.throws(() => any[method]?.apply(socket, values), TypeError, `${method}(${values.map(String)})`);
  const members = Object.entries(Object.getOwnPropertyDescriptors(Socket.prototype));
  for (const [method, { get, value }] of members.filter(([each]) => each !== 'constructor'))
    for (const self of [{}, null, undefined, Object.create(Socket.prototype) as object])
      assert.throws(() => Reflect.apply((get ?? value) as () => unknown, self, []), TypeError, method);
  assert.throws(() => (Socket as unknown as () => void)(), TypeError);
  assert.throws(() => new Socket('x' as unknown as number, 2, 0), TypeError);
  assert.throws(() => new Socket(1, 2, 0, 5 as unknown as string), TypeError);
  assert.throws(() => new Socket(1, 2, 0, ''), TypeError);
  assert.throws(() => enterNetns('a\0b'), TypeError);
  for (const call of [peerCredentials, lockFile, setScheduler, setResourceLimit, execute] as ((
    ...values: unknown[]
  ) => unknown)[])
    for (const values of [[], ['0'], [1.5], [{}]]) assert.throws(() => call(...values), TypeError);
  socket.close();
});

test('system errors carry code, errno and syscall', () => {
  const { Socket, enterNetns, setScheduler, setResourceLimit, execute } = native();
  const none = Buffer.alloc(0);
  assert.throws(() => execute('/', Buffer.from('no end'), none, 2, 0), { code: 'EINVAL', syscall: 'execve' });
  assert.throws(() => execute('/', none, none, -1, 0), { code: 'EBADF', syscall: 'execve' });
  assert.throws(() => setScheduler(0x7ffffffe, 0, 0), { code: 'ESRCH', syscall: 'sched_setscheduler' });
  assert.throws(() => setResourceLimit(999, 1, 1), { code: 'EINVAL', syscall: 'setrlimit' });
  assert.throws(() => new Socket(9999, 2, 0), { code: 'EAFNOSUPPORT', errno: -97, syscall: 'socket' });
  assert.throws(() => new Socket(1, 2, 0, '/no/such/netns'), { code: 'ENOENT', syscall: 'socket' });
  assert.throws(() => enterNetns('/no/such/netns'), { code: 'ENOENT', syscall: 'open' });
  const socket = open();
  assert.throws(() => socket.connect(name('none')), { code: 'ECONNREFUSED', errno: -111, syscall: 'connect' });
  socket.close();
  socket.close();
  assert.equal(socket.fd, -1);
  assert.throws(() => socket.getsockname(), { code: 'EBADF' });
  assert.throws(() => socket.watch(READABLE, () => {}), { code: 'EBADF' });
});

test('a program that is executed has only the capabilities that were kept, in all its threads', () => {
  const mask = (1 << 12) | (1 << 13);
  const program = `for (const thread of fs.readdirSync('/proc/self/task'))
    console.log(fs.readFileSync('/proc/self/task/' + thread + '/status', 'utf8'));`;
  const script = `
    const addon = { exports: {} };
    process.dlopen(addon, 'build/native/lvsd.node');
    const block = (...strings) => Buffer.from(strings.map((one) => one + '\\0').join(''));
    const args = block('node', '-e', ${JSON.stringify(program)});
    addon.exports.execute(process.execPath, args, block('A=1', 'B=2'), 2, ${mask});
  `;
  const cwd = join(import.meta.dirname, '../..');
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { cwd, encoding: 'utf8' });
  const field = (status: string, name: string) =>
    [...status.matchAll(new RegExp(`^${name}:\\s+(\\S+)$`, 'gm'))].map(([, value]) => Number.parseInt(value ?? '', 16));
  const [before = 0] = field(readFileSync('/proc/self/status', 'utf8'), 'CapPrm');
  const permitted = field(stdout, 'CapPrm');
  assert.ok(permitted.length > 1, `threads: ${stdout}${stderr}`);
  assert.deepEqual(new Set(permitted), new Set([before & mask]));
  assert.deepEqual(new Set(field(stdout, 'CapEff')), new Set([before & mask]));
  assert.deepEqual(new Set(field(stdout, 'NoNewPrivs')), new Set([1]));
});

test('connections are accepted one by one, and have their peer’s credentials', () => {
  const { Socket, peerCredentials } = native();
  const stream = () => new Socket(AF_UNIX, SOCK_STREAM, 0);
  const [server, client] = [stream(), stream()];
  server.bind(name('server'));
  assert.throws(() => server.accept(), { code: 'EINVAL', syscall: 'accept' });
  server.listen(4);
  assert.equal(server.accept(), -1);
  client.connect(name('server'));
  const fd = server.accept();
  assert.ok(fd > 2);
  assert.deepEqual(peerCredentials(fd), { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() });
  closeSync(fd);
  assert.equal(server.accept(), -1);
  assert.throws(() => peerCredentials(fd), { code: 'EBADF', syscall: 'getsockopt' });
  assert.throws(() => peerCredentials(-1), { code: 'EBADF' });
  const file = openSync('/dev/null', 'r');
  assert.throws(() => peerCredentials(file), { code: 'ENOTSOCK' });
  closeSync(file);
  for (const socket of [server, client]) socket.close();
});

test('a lock has one holder, until its descriptor is closed', () => {
  const { lockFile } = native();
  const path = join(mkdtempSync(join(tmpdir(), 'lvsd-lock-')), 'lock');
  const [first, second] = [openSync(path, 'w'), openSync(path, 'w')];
  assert.deepEqual([lockFile(first), lockFile(second), lockFile(first)], [true, false, true]);
  closeSync(first);
  assert.equal(lockFile(second), true);
  closeSync(second);
  assert.throws(() => lockFile(second), { code: 'EBADF', syscall: 'flock' });
  rmSync(dirname(path), { recursive: true });
});

test('messages in batches; truncated ones are marked', () => {
  const [a, b] = [open(), open()];
  b.bind(name('b'));
  assert.deepEqual(b.getsockname(), name('b'));
  assert.equal(a.send(Buffer.from('one'), name('b')), 3);
  assert.equal(a.sendBatch([Buffer.from('two'), Buffer.from('thirteen')], [name('b'), name('b')]), 2);
  const data = Buffer.alloc(4 * 5);
  const info = new Int32Array(4 * 4);
  assert.equal(b.receive(data, info), 3);
  const texts = [0, 1, 2].map((i) => data.toString('latin1', 5 * i, 5 * i + (info[4 * i] ?? 0)));
  assert.deepEqual(texts, ['one', 'two', 'thirt']);
  assert.equal((info[9] ?? 0) & 0x20, 0x20, 'MSG_TRUNC');
  assert.equal(b.receive(data, info), 0);
  // A full queue: would block.
  let sent = 0;
  while (a.send(Buffer.from('x'), name('b')) > 0) sent++;
  assert.ok(sent > 0);
  a.close();
  b.close();
});

test('a watcher is called when the socket is readable, until unwatch', async () => {
  const [a, b] = [open(), open()];
  b.bind(name('ready'));
  const data = Buffer.alloc(64);
  const info = new Int32Array(4);
  let calls = 0;
  await new Promise<void>((resolve) => {
    b.watch(READABLE, (events) => {
      assert.equal(events, READABLE);
      b.receive(data, info);
      if (++calls === 2) resolve();
      else a.send(Buffer.from('again'), name('ready'));
    });
    a.send(Buffer.from('first'), name('ready'));
  });
  b.unwatch();
  a.send(Buffer.from('third'), name('ready'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(calls, 2);
  a.close();
  b.close();
});

test('takeFd leaves the descriptor to the caller', () => {
  const socket = open();
  const fd = socket.takeFd();
  assert.equal(socket.fd, -1);
  assert.ok(readdirSync('/proc/self/fd').includes(String(fd)));
  closeSync(fd);
});

const program = `
  const { Socket } = require(${JSON.stringify(new URL('../../build/native/lvsd.node', import.meta.url).pathname)});
  const sockets = [];
  for (let i = 0; i < 20; i++) {
    const socket = new Socket(${AF_NETLINK}, 3, 0);
    socket.watch(1, () => {});
    sockets.push(socket);
  }
  require('node:worker_threads').parentPort?.postMessage('open');
`;

test('a worker that ends with open sockets leaves no descriptor', async () => {
  const before = descriptors();
  for (let round = 0; round < 10; round++) {
    const worker = new Worker(program, { eval: true });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
  }
  assert.ok(descriptors() <= before, `${descriptors()} descriptors, ${before} before`);
});

test('sockets that are garbage-collected are closed', async () => {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const before = descriptors();
  for (let i = 0; i < 50; i++) open();
  assert.ok(descriptors() >= before + 50);
  for (let i = 0; i < 20 && descriptors() > before; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(descriptors(), before);
});
