// SPDX-License-Identifier: MIT
// The client of the control socket: with a daemon, without one, with one that ends, and with servers that are not lvsd.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { UsageError } from '../../../src/base/errors.ts';
import { ControlClient } from '../../../src/control/client.ts';
import { isGap } from '../../../src/control/events/types.ts';
import { LineReader } from '../../../src/control/lines.ts';
import { fakeDaemon, freshPath, STATUS } from './daemon.ts';
import { STATS } from './stats.ts';

const servers: { close(): void }[] = [];
after(() => {
  for (const server of servers) server.close();
});

const PING = { version: '1', pid: 7, file: 'f' };

/** A server that calls `treat` for each client; its path. */
async function oddServer(treat: (socket: Socket) => void): Promise<string> {
  const path = freshPath();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    treat(socket);
  }).listen(path);
  servers.push(server);
  await once(server, 'listening');
  return path;
}

test('concurrent calls get their own answers', async () => {
  using daemon = fakeDaemon();
  const client = await ControlClient.open(daemon.path);
  const [status, paused, drained] = await Promise.all([
    client.call('status', {}),
    client.call('pause', { on: true }),
    client.call('drain', { server: 'web1' }),
  ]);
  assert.deepEqual(status, JSON.parse(JSON.stringify(STATUS)));
  assert.deepEqual([paused, drained], [{ paused: true }, { servers: ['shop web1'], paused: false }]);
  client.close();
  await assert.rejects(client.call('plan', {}), { code: 'ERR_LVSD_DISCONNECTED' });
});

test('an answer of many megabytes', async () => {
  const lines = Array.from({ length: 50_000 }, (_, i) => ({
    sign: '+' as const,
    service: undefined,
    text: 'é'.repeat(100) + i,
  }));
  using daemon = fakeDaemon({ plan: () => ({ file: 'f', lines }) });
  const client = await ControlClient.open(daemon.path);
  const plan = await client.call('plan', {});
  assert.equal(plan.lines.length, 50_000);
  assert.equal(plan.lines.at(-1)?.text, lines.at(-1)?.text);
  client.close();
});

test('no daemon, and a daemon that ends', async () => {
  const none = {
    code: 'ERR_LVSD_NO_DAEMON',
    exitCode: 1,
    message: /^no daemon answers on .*: is lvsd running\? \(systemctl status lvsd\)$/,
  };
  await assert.rejects(ControlClient.open(freshPath()), none);
  const { path, server } = fakeDaemon();
  const client = await ControlClient.open(path);
  const events = client.events({ follow: true }).next();
  await client.call('ping', {});
  server.close();
  await assert.rejects(events, {
    code: 'ERR_LVSD_DISCONNECTED',
    message: 'lvsd closed the connection: it may have stopped (systemctl status lvsd)',
  });
  await assert.rejects(ControlClient.open(path), none);
});

test('a socket of another user', {
  skip: process.getuid?.() !== 0 && 'needs root to become another user',
}, async () => {
  using daemon = fakeDaemon();
  chmodSync(new URL('.', `file://${daemon.path}`), 0o755);
  process.seteuid?.(65534);
  try {
    await assert.rejects(ControlClient.open(daemon.path), {
      exitCode: 4,
      message: /permission denied for .* \(EACCES\): run as root/,
    });
  } finally {
    process.seteuid?.(0);
  }
});

test('errors have the daemon’s text and exit code', async () => {
  using daemon = fakeDaemon({
    drain: () => {
      throw new UsageError('no real server web9');
    },
    plan: () => {
      throw new TypeError('oops');
    },
  });
  const client = await ControlClient.open(daemon.path);
  await assert.rejects(client.call('drain', { server: 'web9' }), {
    code: 'ERR_LVSD_USAGE',
    exitCode: 2,
    message: 'no real server web9',
  });
  await assert.rejects(client.call('plan', {}), { exitCode: 1, message: 'lvsd: internal error: oops' });
  await assert.rejects(client.call('pause', {} as { on: boolean }), {
    exitCode: 2,
    message: 'pause needs on: a boolean',
  });
  client.close();
});

test('a client too many is rejected', async () => {
  using daemon = fakeDaemon({}, { clients: 1 });
  const first = await ControlClient.open(daemon.path);
  await first.call('ping', {});
  const second = await ControlClient.open(daemon.path);
  await assert.rejects(second.call('ping', {}), { message: 'lvsd already serves 1 clients: try again later' });
  first.close();
});

test('servers that are not lvsd', async () => {
  const noise: [what: string, bytes: string | Buffer, message: RegExp][] = [
    ['text', 'HTTP/1.1 400 Bad Request\r\n', /does not speak JSON-RPC/],
    ['null', 'null\n', /does not speak JSON-RPC/],
    ['bytes', Buffer.from([0xff, 0xfe, 10]), /not valid UTF-8/],
    ['silence and an end', '', /lvsd closed the connection/],
    ['half an answer', '{"jsonrpc":"2.0","id":1', /lvsd closed the connection/],
  ];
  for (const [what, bytes, message] of noise) {
    const client = await ControlClient.open(await oddServer((socket) => socket.once('data', () => socket.end(bytes))));
    await assert.rejects(client.call('ping', {}), { message }, what);
  }
  const endless = await ControlClient.open(
    await oddServer((socket) => {
      const chunk = Buffer.alloc(1 << 20, 'x');
      const more = () => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', more).once('data', more);
    }),
  );
  await assert.rejects(endless.call('ping', {}), { message: `line longer than ${64 << 20} bytes` });
});

test('rows without end, and rows that nobody asked for', async () => {
  const rows = (count: number) => {
    const params = { table: 'localAddresses', rows: Array.from({ length: count }, () => STATS.localAddresses[0]) };
    return `${JSON.stringify({ jsonrpc: '2.0', method: 'rows', params })}\n`;
  };
  const path = await oddServer((socket) => {
    // For a ping, and then for `stats`.
    socket.once('data', () => {
      socket.write(`${rows(1)}${JSON.stringify({ jsonrpc: '2.0', id: 1, result: PING })}\n`);
      socket.once('data', () => socket.write(rows(300_000).repeat(2)));
    });
  });
  const client = await ControlClient.open(path);
  await client.call('ping', {});
  await assert.rejects(client.stats({}), {
    code: 'ERR_LVSD_MALFORMED',
    message: 'lvsd sent more than 400000 rows in one answer',
  });
  const [, ...cells] = STATS.localAddresses[0] ?? [];
  const params = { table: 'localAddresses', rows: [['x'.repeat(32 << 20), ...cells]] };
  const long = `${JSON.stringify({ jsonrpc: '2.0', method: 'rows', params })}\n`;
  const wide = await ControlClient.open(
    await oddServer((socket) => {
      let left = 5;
      const more = () => left-- > 0 && socket.write(long);
      socket.on('drain', more).once('data', more);
    }),
  );
  await assert.rejects(wide.stats({}), { message: 'lvsd sent more than 128 MiB in one answer' });
});

test('events: kept and new ones, in order, none twice', async () => {
  using daemon = fakeDaemon();
  for (let i = 0; i < 5; i++) daemon.events.add('real_server.down', 'warning', `before ${i}`);
  const client = await ControlClient.open(daemon.path);
  const got: number[] = [];
  const other = await ControlClient.open(daemon.path);
  for await (const item of client.events({ after: '2', follow: true })) {
    assert.ok(!isGap(item));
    const { sequence } = item;
    got.push(sequence);
    if (sequence === 5)
      for (let i = 0; i < 100; i++) daemon.events.add('service.refused', 'error', `later ${i}`, { service: 'shop' });
    if (sequence === 105) break;
  }
  assert.deepEqual(
    got,
    Array.from({ length: 103 }, (_, i) => i + 3),
  );
  const kept: string[] = [];
  for await (const item of other.events({ after: '103' })) if (!isGap(item)) kept.push(item.text);
  assert.deepEqual(kept, ['later 98', 'later 99']);
  client.close();
  other.close();
});

test('a filter with a mistake is an error of the request', async () => {
  using daemon = fakeDaemon();
  const client = await ControlClient.open(daemon.path);
  await assert.rejects(client.events({ kinds: 'real_server.left' }).next(), {
    message: 'there are no events of kind real_server.left: docs/events.md has the list',
  });
  client.close();
});

test('lines are the same for every split of the bytes', () => {
  const text = Buffer.from('one\n\ntwo é 語 😀\nthree\nrest');
  const whole = new LineReader(100).push(text);
  assert.deepEqual(whole, ['one', '', 'two é 語 😀', 'three']);
  for (let first = 0; first <= text.length; first++)
    for (let second = first; second <= text.length; second++) {
      const reader = new LineReader(100);
      const parts = [text.subarray(0, first), text.subarray(first, second), text.subarray(second)];
      assert.deepEqual(
        parts.flatMap((part) => reader.push(part)),
        whole,
      );
    }
  assert.throws(() => new LineReader(3).push(Buffer.from('four')), /longer than 3 bytes/);
  assert.deepEqual(new LineReader(3).push(Buffer.from('one\ntwo\n')), ['one', 'two']);
});
