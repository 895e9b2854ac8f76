// SPDX-License-Identifier: MIT
// The control socket on real sockets: permissions, answers to valid and invalid requests, and limits for bad clients.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LvsdError, UsageError } from '../../../src/base/errors.ts';
import { ControlClient } from '../../../src/control/client.ts';
import { type EventItem, isGap } from '../../../src/control/events/types.ts';
import { LONGEST_REQUEST } from '../../../src/control/messages.ts';
import { METHODS, READ_ONLY } from '../../../src/control/methods.ts';
import { answers, fakeDaemon, freshPath, rawClient, STATUS } from './daemon.ts';
import { STATS, service } from './stats.ts';

const request = (method: string, params?: unknown, id: unknown = 1) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;

const PLAN = { file: '/etc/lvsd/lvsd.yaml', lines: [] };

const wait = async (done: () => boolean) => {
  for (let i = 0; i < 500 && !done(); i++) await sleep(10);
  assert.ok(done());
};

test('the socket has mode 0600, whatever the umask, and is removed with the server', () => {
  const mask = process.umask(0);
  try {
    const { path, server } = fakeDaemon();
    assert.equal(lstatSync(path).mode & 0o777, 0o600);
    assert.equal(process.umask(0), 0, 'the umask is restored');
    server.close();
    assert.equal(existsSync(path), false);
  } finally {
    process.umask(mask);
  }
});

test('requests are answered in order, each with its id', async () => {
  using daemon = fakeDaemon();
  const text = request('status', {}, 'a') + request('pause', { on: true }, 2) + request('plan', undefined, null);
  const { reloadError: _, ...status } = STATUS;
  assert.deepEqual(await answers(daemon.path, text), [
    { jsonrpc: '2.0', id: 'a', result: status },
    { jsonrpc: '2.0', id: 2, result: { paused: true } },
    { jsonrpc: '2.0', id: null, result: PLAN },
  ]);
  assert.deepEqual(daemon.calls, [
    ['status', {}],
    ['pause', { on: true }],
    ['plan', {}],
  ]);
});

test('a notification is executed and not answered', async () => {
  using daemon = fakeDaemon();
  assert.deepEqual(await answers(daemon.path, '{"jsonrpc":"2.0","method":"drain","params":{"server":"web1"}}\n'), []);
  assert.deepEqual(daemon.calls, [['drain', { server: 'web1' }]]);
});

test('a request byte by byte, and many requests at once', async () => {
  using daemon = fakeDaemon();
  const socket = await rawClient(daemon.path);
  for (const byte of request('pause', { on: false })) {
    socket.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await wait(() => daemon.calls.length === 1);
  socket.destroy();
  assert.equal((await answers(daemon.path, request('plan').repeat(500))).length, 500);
});

test('an invalid request gets an error with a reason, and the next one is still answered', async () => {
  using daemon = fakeDaemon();
  const wrong: [text: string, code: number, message: RegExp, id?: unknown][] = [
    ['', -32700, /not valid JSON/],
    ['{', -32700, /not valid JSON/],
    ['[]', -32600, /batches are not supported/],
    ['[{"jsonrpc":"2.0","id":1,"method":"plan"}]', -32600, /batches are not supported/],
    ['null', -32600, /must be an object/],
    ['7', -32600, /must be an object/],
    ['{"id":1,"method":"plan"}', -32600, /jsonrpc must be "2.0"/, 1],
    ['{"jsonrpc":"2.0","id":{},"method":"plan"}', -32600, /id must be/],
    ['{"jsonrpc":"2.0","id":1e400,"method":"plan"}', -32600, /id must be .* a finite number/],
    ['{"jsonrpc":"2.0","id":1}', -32600, /method must be a string/, 1],
    ['{"jsonrpc":"2.0","id":1,"method":"constructor"}', -32601, /methods: ping, status, plan/, 1],
    ['{"jsonrpc":"2.0","id":1,"method":"__proto__"}', -32601, /methods: ping, status, plan/, 1],
    ['{"jsonrpc":"2.0","id":1,"method":"plan","params":[1]}', -32602, /by name/, 1],
    ['{"jsonrpc":"2.0","id":1,"method":"plan","params":null}', -32602, /by name/, 1],
    ['{"jsonrpc":"2.0","id":1,"method":"plan","params":{"x":1}}', -32602, /no parameter, not "x"/, 1],
    ['{"jsonrpc":"2.0","id":1,"method":"drain"}', -32602, /drain needs server: a string/, 1],
    ['{"jsonrpc":"2.0","id":1,"method":"drain","params":{"server":7}}', -32602, /drain needs server: a string/, 1],
    ['{"jsonrpc":"2.0","id":1,"method":"drain","params":{"server":"a","__proto__":1}}', -32602, /__proto__/, 1],
    ['{"jsonrpc":"2.0","id":1,"method":"events","params":{"after":1.5}}', -32602, /after: a string/, 1],
    [`${'['.repeat(30_000)}`, -32700, /not valid JSON/],
    [`${'['.repeat(30_000)}${']'.repeat(30_000)}`, -32600, /batches are not supported/],
  ];
  const got = await answers(daemon.path, wrong.map(([text]) => `${text}\n`).join('') + request('plan', {}, 'last'));
  assert.equal(got.length, wrong.length + 1);
  for (const [i, [text, code, message, id = null]] of wrong.entries()) {
    const { error, id: gotId } = got[i] as { error: { code: number; message: string }; id: unknown };
    assert.equal(error.code, code, text.slice(0, 80));
    assert.match(error.message, message);
    assert.equal(gotId, id, text.slice(0, 80));
  }
  assert.deepEqual(got.at(-1), { jsonrpc: '2.0', id: 'last', result: PLAN });
  assert.deepEqual(daemon.calls, [['plan', {}]]);
});

test('a line that is too long or not UTF-8 ends the connection with an error', async () => {
  using daemon = fakeDaemon();
  const messages = async (bytes: string | Buffer) =>
    (await answers(daemon.path, bytes)).map((each) => (each as { error: { message: string } }).error.message);
  const long = [`line longer than ${LONGEST_REQUEST} bytes`];
  assert.deepEqual(await messages('x'.repeat(LONGEST_REQUEST + 1)), long);
  assert.deepEqual(await messages('x'.repeat(10 << 20)), long);
  assert.deepEqual(await messages(Buffer.from([0x22, 0xff, 0x22, 10])), ['line is not valid UTF-8']);
  const exact = request('drain', { server: 's' }).trimEnd();
  const padded = `${exact}${' '.repeat(LONGEST_REQUEST - exact.length)}\n`;
  assert.deepEqual(await answers(daemon.path, padded), [
    { jsonrpc: '2.0', id: 1, result: { servers: ['shop web1'], paused: false } },
  ]);
});

test('errors of handlers have their exit code; unexpected ones are internal errors and logged', async () => {
  using daemon = fakeDaemon({
    reload: () => {
      throw new UsageError('lvsd.yaml:3:1: unknown key "servcies"');
    },
    drain: async () => {
      throw new LvsdError('ERR_LVSD_NO_SERVER', 'no real server web9');
    },
    plan: () => {
      throw new TypeError('x is not a function');
    },
  });
  const text = request('reload') + request('drain', { server: 'web9' }) + request('plan');
  assert.deepEqual(
    (await answers(daemon.path, text)).map((each) => (each as { error: unknown }).error),
    [
      { code: -32002, message: 'lvsd.yaml:3:1: unknown key "servcies"', data: { code: 'ERR_LVSD_USAGE' } },
      { code: -32001, message: 'no real server web9', data: { code: 'ERR_LVSD_NO_SERVER' } },
      { code: -32603, message: 'lvsd: internal error: x is not a function' },
    ],
  );
  assert.ok(daemon.log.lines.includes('error plan failed: x is not a function'));
});

test('requests for changes are logged with the caller, others are not', async () => {
  using daemon = fakeDaemon();
  await answers(daemon.path, request('status') + request('drain', { server: 'web1\n\x1b[2J' }) + request('reload'));
  const asked = `requested by uid ${process.getuid?.()}, pid ${process.pid}`;
  const logged = daemon.log.lines.filter((line) => !line.startsWith('debug'));
  assert.deepEqual(logged, [`info drain server web1\n\x1b[2J: ${asked}`, `info reload: ${asked}`]);
  const { uid, gid, pid } = daemon.log.fields.at(-1) ?? {};
  assert.deepEqual([uid, gid, pid], [process.getuid?.(), process.getgid?.(), process.pid]);
});

test('a second daemon does not start', async () => {
  using daemon = fakeDaemon();
  assert.throws(() => fakeDaemon({}, { path: daemon.path }), { code: 'ERR_LVSD_RUNNING', message: /another lvsd/ });
  assert.equal((await answers(daemon.path, request('plan'))).length, 1, 'the first still serves');
  // A program that listens there without the lock.
  const path = freshPath();
  const other = createServer().listen(path);
  await once(other, 'listening');
  assert.throws(() => fakeDaemon({}, { path }), { code: 'ERR_LVSD_RUNNING' });
  other.close();
});

const serve = (path: string) => `
  import { EventLog } from ${JSON.stringify(new URL('../../../src/control/events/log.ts', import.meta.url).pathname)};
  import { ControlServer } from ${JSON.stringify(new URL('../../../src/control/server.ts', import.meta.url).pathname)};
  const log = { error: console.error, warn() {}, info() {}, debug() {} };
  new ControlServer({ path: ${JSON.stringify(path)}, handlers: {}, events: new EventLog(), log });
  console.log('serving');`;

test('the socket of a daemon that was killed is replaced', async () => {
  const path = freshPath();
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', serve(path)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  assert.throws(() => fakeDaemon({}, { path }), { code: 'ERR_LVSD_RUNNING' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(lstatSync(path).isSocket(), 'the socket is left');
  using daemon = fakeDaemon({}, { path });
  assert.equal((await answers(daemon.path, request('plan'))).length, 1);
});

test('of five that start at once over a stale socket, one serves', async () => {
  const path = freshPath();
  const stale = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', stale]);
  assert.ok(lstatSync(path).isSocket());
  const children = Array.from({ length: 5 }, () =>
    spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', serve(path)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  const outputs = await Promise.all(
    children.map(async (child) => {
      const [text] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [unknown];
      return String(text).trim();
    }),
  );
  for (const child of children) child.kill('SIGKILL');
  assert.equal(outputs.filter((text) => text === 'serving').length, 1, outputs.join());
});

test('a file that is not a socket is not touched, and no link is followed', () => {
  const file = freshPath();
  writeFileSync(file, 'precious');
  assert.throws(() => fakeDaemon({}, { path: file }), { message: /exists and is not a socket/ });
  assert.equal(readFileSync(file, 'utf8'), 'precious');
  const linked = freshPath();
  symlinkSync(file, `${linked}.lock`);
  assert.throws(() => fakeDaemon({}, { path: linked }), { code: 'ERR_LVSD_CONTROL_SOCKET' });
  assert.throws(() => fakeDaemon({}, { path: join(dirname(file), 'x'.repeat(200)) }), { code: 'ERR_LVSD_SOCKET_PATH' });
});

test('clients beyond the limit are rejected with a reason, and served again later', async () => {
  using daemon = fakeDaemon({}, { clients: 2 });
  const [first, second] = [await rawClient(daemon.path), await rawClient(daemon.path)];
  const refused = await answers(daemon.path, '');
  assert.match(JSON.stringify(refused), /already serves 2 clients/);
  first.destroy();
  second.destroy();
  await wait(() => {
    const socket = daemon.log.lines.filter((line) => line.includes('control client connected')).length;
    return socket === 2;
  });
  await sleep(20);
  assert.equal((await answers(daemon.path, request('plan'))).length, 1);
});

test('a rejected client that writes at once can still read the reason', async () => {
  using daemon = fakeDaemon({}, { clients: 1 });
  const first = await rawClient(daemon.path);
  for (let i = 0; i < 50; i++)
    assert.match(JSON.stringify(await answers(daemon.path, request('plan'))), /already serves 1 clients/);
  first.destroy();
});

test('a client that has been idle for long is disconnected for another; one that follows events is not', async () => {
  using daemon = fakeDaemon({}, { clients: 2 });
  const follower = await rawClient(daemon.path);
  follower.write(request('events', { follow: true }));
  const silent = await rawClient(daemon.path);
  silent.write('{"jsonrpc":');
  await sleep(2200);
  assert.equal((await answers(daemon.path, request('plan'))).length, 1);
  await wait(() => silent.destroyed || silent.readableEnded);
  assert.match(daemon.log.lines.join('\n'), /disconnected for another one: it was idle/);
  follower.destroy();
});

test('a client that sends no complete request for long is disconnected with a reason', async () => {
  using daemon = fakeDaemon({}, { idle: 200 });
  const follower = await rawClient(daemon.path);
  follower.write(request('events', { follow: true }));
  const socket = await rawClient(daemon.path);
  let received = '';
  socket.on('data', (chunk) => {
    received += String(chunk);
  });
  const ended = once(socket, 'end');
  socket.write('{"jsonrpc":');
  await ended;
  assert.match(received, /no request for 0\.2 s: disconnected/);
  assert.equal(follower.readableEnded, false);
  socket.destroy();
  follower.destroy();
});

test('a last line without a line feed is answered', async () => {
  using daemon = fakeDaemon();
  const got = await answers(daemon.path, request('plan', {}, 'last').trimEnd());
  assert.deepEqual(got, [{ jsonrpc: '2.0', id: 'last', result: PLAN }]);
});

test('a client that does not read its answer is disconnected', async () => {
  const large = { file: '', lines: [{ sign: '+' as const, service: undefined, text: 'x'.repeat(4 << 20) }] };
  using daemon = fakeDaemon({ plan: () => large }, { patience: 100 });
  const socket = await rawClient(daemon.path);
  const ended = once(socket, 'end');
  socket.pause();
  socket.write(request('plan').repeat(100));
  await wait(() => daemon.log.lines.some((line) => line.includes('does not read its answer: disconnected')));
  socket.resume();
  await ended;
  socket.destroy();
});

test('events: kept ones, then new ones; a client that does not read them for long gets a gap', async () => {
  using daemon = fakeDaemon();
  for (let i = 1; i <= 3; i++) daemon.events.add('real_server.down', 'warning', `event ${i}`, { service: 'shop' });
  const socket = await rawClient(daemon.path);
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  socket.write(request('events', { after: '1', follow: true }));
  await wait(() => text.includes('event 3'));
  daemon.events.add('table.drift', 'warning', 'event 4');
  await wait(() => text.includes('event 4'));
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { params?: { sequence: number }[] });
  assert.deepEqual(
    lines.flatMap(({ params = [] }) => params).map(({ sequence }) => sequence),
    [2, 3, 4],
  );
  // Asleep for longer than the events are kept: a gap, then those that are left, and the daemon has kept no more of them.
  socket.pause();
  text = '';
  for (let i = 0; i < 20; i++) {
    for (let n = 0; n < 1000; n++) daemon.events.add('real_server.down', 'warning', 'x'.repeat(500));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.resume();
  await wait(() => text.includes('"sequence":20004'));
  const items = text
    .trimEnd()
    .split('\n')
    .flatMap((line) => (JSON.parse(line) as { params: EventItem[] }).params);
  let last = 4;
  let gaps = 0;
  for (const item of items) {
    if (!isGap(item)) assert.equal(item.sequence, ++last);
    else {
      assert.ok('from' in item.gap && item.gap.from === last + 1);
      last = item.gap.to;
      gaps++;
    }
  }
  assert.deepEqual([last, gaps], [20_004, 1]);
  socket.destroy();
});

test('a read-only socket is for a group, and allows its methods only', async () => {
  const group = process.getgid?.() ?? 0;
  using daemon = fakeDaemon({}, { methods: READ_ONLY, group });
  const { mode, gid } = lstatSync(daemon.path);
  assert.deepEqual([mode & 0o777, gid], [0o660, group]);
  const asked = Object.keys(METHODS).map((method) =>
    request(method, { server: 'web1', on: true, instance: 'x' }, method),
  );
  const found = (await answers(daemon.path, asked.join(''))) as {
    id: string;
    error?: { code: number; message: string };
  }[];
  const allowed = ['ping', 'status', 'overview', 'stats', 'plan', 'events', 'vrrp', 'config.summary'];
  assert.equal(found.length, Object.keys(METHODS).length);
  for (const { id, error } of found) {
    if (allowed.includes(id)) assert.notEqual(error?.code, -32004, id);
    else assert.deepEqual(error, { code: -32004, message: 'not permitted on read.sock; use control.sock' }, id);
  }
  assert.deepEqual(daemon.calls, []);
});

test('parts of an answer are sent before it, and the client collects them', async () => {
  const row = (at: number) => service(`shop ${at}`);
  using daemon = fakeDaemon({
    stats: async (_params, _peer, notify) => {
      for (let i = 0; i < 3; i++) await notify('rows', { table: 'services', rows: [row(2 * i), row(2 * i + 1)] });
      return STATS.summary;
    },
  });
  const client = await ControlClient.open(daemon.path);
  for (let i = 0; i < 2; i++) {
    const { summary, services, realServers } = await client.stats({});
    assert.deepEqual([summary.version, services, realServers], ['9.9.9', [0, 1, 2, 3, 4, 5].map(row), []]);
  }
  client.close();
});
