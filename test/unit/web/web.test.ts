// SPDX-License-Identifier: MIT
// `lvsd web` on loopback, with a control server behind it: what it answers, and what it refuses.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { READ_ONLY } from '../../../src/control/methods.ts';
import type { Handlers } from '../../../src/control/server.ts';
import { parseListen } from '../../../src/web/listen.ts';
import { webServer } from '../../../src/web/server.ts';
import { fakeDaemon, freshPath } from '../control/daemon.ts';
import { STATS, statsHandler } from '../control/stats.ts';
import { ask } from './request.ts';

const program = new URL('../../../dist/bin/lvsd.cjs', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'lvsd-web-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let daemon: ReturnType<typeof fakeDaemon>;
let server: Server;
let port: number;
let log: string[];

async function start(handlers: Partial<Handlers> = {}): Promise<void> {
  daemon = fakeDaemon({ stats: statsHandler(STATS), ...handlers }, { methods: READ_ONLY });
  await serve(daemon.path);
}

async function serve(socket: string): Promise<void> {
  log = [];
  server = webServer({
    listen: parseListen('127.0.0.1:5873'),
    socket,
    hosts: ['LB1.example.net'],
    log: (text) => log.push(text),
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
}

beforeEach(() => start());
afterEach(() => {
  server.closeAllConnections();
  server.close();
  daemon.server.close();
});

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') => ask(port, path, headers, method);

const text = async (path: string, headers = {}) => String((await get(path, headers)).body);

describe('metrics', () => {
  test('are those of lvsctl metrics, and what this process adds', async () => {
    const { status, headers, body } = await get('/metrics');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    const lines = String(body).split('\n');
    assert.ok(lines.includes('lvsd_up 1'));
    assert.ok(lines.some((line) => line.startsWith('lvsd_real_server_up{service="shop"')));
    assert.match(String(body), /^lvsd_process_resident_memory_bytes\{process="web"\} \d+$/m);
    assert.match(String(body), /^lvsd_scrape_duration_seconds \d/m);
    // Each family has one head, as the format demands.
    const heads = lines.filter((line) => line.startsWith('# TYPE'));
    assert.equal(new Set(heads).size, heads.length);
  });

  test('are compressed for those who accept it', async () => {
    const { headers, body } = await get('/metrics', { 'Accept-Encoding': 'br, gzip;q=0.5' });
    assert.equal(headers['content-encoding'], 'gzip');
    assert.match(String(gunzipSync(body)), /^lvsd_up 1$/m);
    const refused = await get('/metrics', { 'Accept-Encoding': 'gzip;q=0' });
    assert.equal(refused.headers['content-encoding'], undefined);
  });

  test('of some groups, at some detail; others are an error with the list', async () => {
    const services = await text('/metrics?collect[]=service&detail=services');
    assert.match(services, /^lvsd_service_quorum\{/m);
    assert.doesNotMatch(services, /^lvsd_(real_server_up|services)\b/m);
    assert.match(await text('/metrics?max_series=40'), /^lvsd_metrics_omitted_series [1-9]/m);
    const wrong: [string, RegExp][] = [
      ['collect[]=foo', /^collect\[\] takes process, service, .* not foo\n$/],
      ['detail=all', /^detail takes summary, services, real_servers, full, not all\n$/],
      ['max_series=0', /^max_series takes a number from 1 to 10000000, not 0\n$/],
      ['collect=foo', /^found parameter collect; allowed: collect\[\], detail, max_series\n$/],
    ];
    for (const [query, message] of wrong) {
      const { status, body } = await get(`/metrics?${query}`);
      assert.equal(status, 400, query);
      assert.match(String(body), message);
    }
  });

  test('without a daemon are lvsd_up 0; the log says so once, and when it is back', async () => {
    daemon.server.close();
    for (let i = 0; i < 3; i++) {
      const { status, body } = await get('/metrics');
      assert.equal(status, 200);
      assert.match(String(body), /^lvsd_up 0$/m);
    }
    assert.equal(log.length, 1);
    assert.match(log[0] ?? '', /^no daemon answers on/);
    const again = fakeDaemon({ stats: statsHandler(STATS) }, { path: daemon.path });
    assert.match(await text('/metrics'), /^lvsd_up 1$/m);
    assert.equal(log.at(-1), 'the daemon answers again');
    again.server.close();
  });

  test('four scrapes at a time', async () => {
    let go = () => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    afterServer();
    await start({
      stats: async (...given) => {
        await held;
        return statsHandler(STATS)(...given);
      },
    });
    const four = [1, 2, 3, 4].map(() => get('/metrics'));
    while (daemon.log.lines.filter((line) => line.includes('connected')).length < 4)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const fifth = await get('/metrics');
    assert.deepEqual([fifth.status, fifth.headers['retry-after']], [503, '5']);
    go();
    assert.deepEqual(
      (await Promise.all(four)).map(({ status }) => status),
      [200, 200, 200, 200],
    );
    assert.equal((await get('/metrics')).status, 200);
  });
});

function afterServer(): void {
  server.closeAllConnections();
  server.close();
  daemon.server.close();
}

/** Reads a stream until `enough`, then closes it. */
async function stream(path: string, headers: Record<string, string>, enough: (text: string) => boolean) {
  return await new Promise<string>((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, headers }, (response) => {
      let received = '';
      response.on('data', (chunk) => {
        received += String(chunk);
        if (!enough(received)) return;
        request.destroy();
        resolve(received);
      });
      response.on('end', () => reject(new Error(`ended: ${received}`)));
    });
    request.on('error', () => {});
    request.end();
  });
}

describe('events', () => {
  test('the last ones, then new ones; each has its cursor, by which a browser resumes', async () => {
    for (let i = 0; i < 200; i++) daemon.events.add('real_server.down', 'warning', `event ${i}\r\nx`);
    let sawLast = () => {};
    const stored = new Promise<void>((resolve) => {
      sawLast = resolve;
    });
    const first = stream('/events', {}, (all) => {
      if (all.includes('"text":"event 199')) sawLast();
      return all.includes('one more');
    });
    await stored;
    daemon.events.add('table.drift', 'warning', 'one more');
    const [epoch] = daemon.events.cursor.split(':');
    const ids = [...(await first).matchAll(/^id: (.*)$/gm)].map(([, id]) => id);
    assert.deepEqual(
      ids,
      Array.from({ length: 101 }, (_, i) => `${epoch}:${101 + i}`),
    );
    const resumed = await stream('/events', { 'Last-Event-ID': `${epoch}:199` }, (all) => all.includes('one more'));
    assert.deepEqual(
      [...resumed.matchAll(/^id: .*:(\d+)\ndata: (.*)\n\n/gm)].map(([, id, data = '']) => [id, JSON.parse(data).text]),
      [
        ['200', 'event 199\r\nx'],
        ['201', 'one more'],
      ],
    );
    const foreign = await stream('/events', { 'Last-Event-ID': '1f00ba5e:3' }, (all) => all.includes('one more'));
    assert.match(foreign, /^event: gap\ndata: \{"cursor":"1f00ba5e:3"\}\n\nid: /);
  });

  test('of some kinds; mistakes are errors', async () => {
    daemon.events.add('real_server.down', 'warning', 'a', { service: 'shop' });
    daemon.events.add('table.drift', 'warning', 'b');
    const found = await stream('/events?kinds=table', {}, (all) => all.endsWith('\n\n'));
    assert.match(found, /"text":"b"/);
    assert.doesNotMatch(found, /"text":"a"/);
    for (const query of ['kinds=x', 'limit=x', 'after=x', 'follow=1']) {
      const { status } = await get(`/events?${query}`);
      assert.equal(status, 400, query);
    }
  });

  test('without a daemon there is a reason and a time to try again', async () => {
    daemon.server.close();
    const { status, headers, body } = await get('/events');
    assert.deepEqual([status, headers['retry-after']], [503, '5']);
    assert.match(String(body), /^no daemon answers/);
  });
});

describe('requests that are refused', () => {
  test('by another name than those of the server', async () => {
    const statusOf = async (host: string) => (await get('/', { Host: host })).status;
    for (const host of ['localhost', `127.0.0.1:${port}`, '[::1]:80', 'lb1.example.net', 'LB1.EXAMPLE.NET:5873'])
      assert.equal(await statusOf(host), 200, host);
    for (const host of ['evil.example', 'localhost.evil.example', '10.0.0.1', 'localhost:x', 'lb1.example.net.'])
      assert.equal(await statusOf(host), 421, host);
    assert.equal(
      String((await get('/metrics', { Host: 'lb2' })).body),
      'not a name of this server: add lb2 to web.hosts, or --host\n',
    );
  });

  test('that would change something, or come from a page of another site', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PURGE']) {
      const { status, headers } = await get('/metrics', {}, method);
      assert.deepEqual([status, headers.allow], [405, 'GET, HEAD'], method);
      assert.equal(headers['access-control-allow-origin'], undefined);
    }
    for (const site of ['cross-site', 'same-site'])
      assert.equal((await get('/metrics', { 'Sec-Fetch-Site': site })).status, 403, site);
    assert.equal((await get('/metrics', { 'Sec-Fetch-Site': 'none' })).status, 200);
    assert.equal((await get('/metrics', { 'Sec-Fetch-Site': 'same-origin' })).status, 200);
    const head = await get('/metrics', {}, 'HEAD');
    assert.deepEqual([head.status, head.body.length], [200, 0]);
    assert.equal((await get('/etc/passwd')).status, 404);
  });

  test('every answer forbids what a page could do with it', async () => {
    // The policy of the page's files: page.test.ts.
    for (const path of ['/live?x', '/metrics', '/x', '/events?limit=x']) {
      const { headers } = await get(path);
      assert.equal(headers['x-content-type-options'], 'nosniff', path);
      assert.equal(headers['content-security-policy'], "default-src 'none'; frame-ancestors 'none'", path);
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin', path);
      assert.equal(headers['cache-control'], 'no-store', path);
    }
  });

  /** Bytes as they are; all that comes back until the end. */
  async function raw(bytes: string): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    socket.on('error', () => {});
    socket.write(bytes);
    await once(socket, 'close');
    return received;
  }

  test('a header of 9 KB, bytes that are not HTTP, an URL that is none', async () => {
    assert.match(await raw(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(9000)}\r\n\r\n`), /^HTTP\/1.1 431 /);
    assert.match(await raw('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'), /^HTTP\/1.1 400 /);
    assert.match(await raw('GET http://[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 400 /);
    assert.match(await raw('GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 400 /);
    const hosts = (other: string) => `GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: ${other}\r\n\r\n`;
    assert.match(await raw(hosts('evil.example')), /^HTTP\/1.1 400 /);
    assert.match(await raw(hosts('localhost')), /^HTTP\/1.1 400 /);
    assert.match(await raw('GET /metrics HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 421 /);
    assert.equal((await get('/metrics')).status, 200);
  });

  test('pipelined requests, and clients that go at once, take no place for good', { timeout: 60_000 }, async () => {
    const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const hang = async (bytes: string) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      await new Promise((resolve) => socket.write(bytes, resolve));
      return socket;
    };
    const piped = await hang(request('/events') + request('/metrics').repeat(8));
    const many = await hang(request('/events').repeat(30));
    daemon.events.add('daemon.ready', 'info', 'x');
    for (let i = 0; i < 60; i++) (await hang(request('/events?service=nobody'))).destroy();
    piped.destroy();
    many.destroy();
    for (const end = Date.now() + 30_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const scrapes = await Promise.all([1, 2, 3, 4].map(() => get('/metrics')));
      const streams = await Promise.all(
        Array.from({ length: 20 }, () => stream('/events', {}, (all) => all.includes('\n\n')).catch(() => '')),
      );
      if (scrapes.every(({ status }) => status === 200) && streams.every((text) => text !== '')) break;
      assert.ok(Date.now() < end, 'places are lost');
    }
  });

  test('20 followers of events; another one is told when to try again', async () => {
    daemon.events.add('daemon.ready', 'info', 'x');
    const followers = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'));
    for (const socket of followers) {
      socket.on('error', () => {});
      socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await once(socket, 'data');
    }
    const { status, headers } = await get('/events');
    assert.deepEqual([status, headers['retry-after']], [503, '60']);
    for (const socket of followers) socket.destroy();
  });

  test('a client that sends a byte now and then is disconnected', { timeout: 60_000 }, async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /metrics HTTP/1.1\r\n');
    const drip = setInterval(() => socket.write('X'), 500);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    clearInterval(drip);
    assert.match(String(answer), /^HTTP\/1.1 408 /);
    socket.destroy();
  });

  test('a thousand connections do not keep others out for good', { timeout: 60_000 }, async () => {
    const sockets = Array.from({ length: 1000 }, () => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      return socket;
    });
    await Promise.all(sockets.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])));
    const open = await new Promise<number>((resolve, reject) =>
      server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
    assert.ok(open <= 64, `${open}`);
    for (const socket of sockets) socket.destroy();
    const end = Date.now() + 30_000;
    for (;;) {
      const status = await get('/metrics').then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) return;
      assert.ok(Date.now() < end);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
});

test('where it may listen', () => {
  assert.deepEqual(parseListen('127.0.0.1:5873'), { kind: 'tcp', host: '127.0.0.1', port: 5873 });
  assert.deepEqual(parseListen('[::1]:80'), { kind: 'tcp', host: '::1', port: 80 });
  assert.deepEqual(parseListen('unix:/run/lvsd/web.sock'), { kind: 'unix', path: '/run/lvsd/web.sock' });
  assert.deepEqual(parseListen('systemd'), { kind: 'systemd' });
  const reachable = (found: string) =>
    `--listen: ${found} can be reached from other machines; allowed: loopback addresses. Others need web: with tls and users in the configuration (docs/web.md)`;
  for (const [found, message] of [
    ['5873', '--listen: found 5873; allowed: ADDRESS:PORT, unix:PATH, systemd'],
    ['localhost:80', '--listen: found localhost:80; allowed: ADDRESS:PORT, unix:PATH, systemd'],
    ['::1:80', '--listen: found ::1:80; allowed: ADDRESS:PORT, unix:PATH, systemd'],
    ['[127.0.0.1]:80', '--listen: found [127.0.0.1]:80; allowed: ADDRESS:PORT, unix:PATH, systemd'],
    ['127.0.0.1:0', '--listen: found port 0; allowed: 1 to 65535'],
    ['127.0.0.1:65536', '--listen: found port 65536; allowed: 1 to 65535'],
    ['unix:web.sock', '--listen: found unix:web.sock; unix: takes an absolute path'],
    ['0.0.0.0:5873', reachable('0.0.0.0:5873')],
    ['[::]:5873', reachable('[::]:5873')],
    ['10.0.0.5:5873', reachable('10.0.0.5:5873')],
    ['[::ffff:10.0.0.5]:5873', reachable('[::ffff:10.0.0.5]:5873')],
  ] as const)
    assert.throws(() => parseListen(found), { message });
});

describe('the program', () => {
  /** Runs `lvsd web` until it prints a line or ends. */
  async function run(...words: string[]) {
    const child = spawn(process.execPath, [program, 'web', ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += String(chunk);
    });
    const closed = once(child, 'close') as Promise<[number | null]>;
    while (!err.includes('\n') && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
    return { child, closed, err: () => err };
  }

  test('serves a Unix socket for its group, replaces a stale one and not that of another', async () => {
    const path = join(folder, 'web.sock');
    const first = await run('--listen', `unix:${path}`, '--socket', daemon.path);
    assert.equal(first.err(), `lvsd web: listening on unix:${path}\n`);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    const second = await run('--listen', `unix:${path}`);
    assert.deepEqual(await second.closed, [1, null]);
    assert.match(second.err(), /^lvsd: cannot listen on unix:.*web\.sock: .*EADDRINUSE/);
    first.child.kill('SIGKILL');
    await first.closed;
    const third = await run('--listen', `unix:${path}`);
    assert.equal(third.err(), `lvsd web: listening on unix:${path}\n`);
    third.child.kill('SIGTERM');
    assert.deepEqual(await third.closed, [0, null]);
  });

  test('says why it cannot listen', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port: busy } = taken.address() as AddressInfo;
    const { closed, err } = await run('--listen', `127.0.0.1:${busy}`);
    assert.deepEqual(await closed, [1, null]);
    assert.match(err(), new RegExp(`^lvsd: cannot listen on http://127.0.0.1:${busy}: .*EADDRINUSE`));
    taken.close();
    const wrong = await run('--listen', '0.0.0.0:5873');
    assert.deepEqual(await wrong.closed, [2, null]);
    const none = await run('--listen', 'systemd', '--socket', freshPath());
    assert.deepEqual(await none.closed, [1, null]);
    assert.equal(none.err(), 'lvsd: --listen systemd: no socket was passed (lvsd-web.socket)\n');
  });
});
