// SPDX-License-Identifier: MIT
// The server of the page: its files, and /live with windows, news, an open service, events, a daemon that goes and comes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { LvsdError } from '../../../src/base/errors.ts';
import { READ_ONLY } from '../../../src/control/methods.ts';
import type { Handlers } from '../../../src/control/server.ts';
import { parseListen } from '../../../src/web/listen.ts';
import { keyOf, type LiveMessage } from '../../../src/web/page/messages.ts';
import { webServer } from '../../../src/web/server.ts';
import { fakeDaemon } from '../control/daemon.ts';
import { fleet, made, type Service } from './fleet.ts';
import { ask } from './request.ts';

let daemon: ReturnType<typeof fakeDaemon>;
let server: Server;
let port: number;

async function start(services: Service[], more: Partial<Handlers> = {}): Promise<void> {
  daemon = fakeDaemon({ ...fleet(services), ...more }, { methods: READ_ONLY });
  server = webServer({ listen: parseListen('127.0.0.1:5873'), socket: daemon.path, hosts: [], log: () => {} });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
}

afterEach(() => {
  server.closeAllConnections();
  server.close();
  daemon.server.close();
});

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') => ask(port, path, headers, method);

/** A viewer: the messages so far, with their sizes. */
class Viewer {
  readonly messages: (LiveMessage & { bytes: number })[] = [];
  readonly #request;
  #wake = () => {};

  constructor(query: string) {
    let text = '';
    this.#request = httpRequest({ host: '127.0.0.1', port, path: `/live?${query}` }, (response) => {
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        const parts = text.split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts)
          this.messages.push({ ...(JSON.parse(part.replace(/^data: /, '')) as LiveMessage), bytes: part.length });
        this.#wake();
      });
    });
    this.#request.on('error', () => {});
    this.#request.end();
  }

  /** The first message, from the one of this index on, that has it. */
  async first<T>(what: (message: LiveMessage & { bytes: number }) => T | undefined, from = 0): Promise<T> {
    for (let index = from; ; index++) {
      while (index >= this.messages.length)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      const message = this.messages[index];
      const found = message && what(message);
      if (found !== undefined) return found;
    }
  }

  close(): void {
    this.#request.destroy();
  }
}

/** The first rows of a view. */
async function rows(query: string) {
  const viewer = new Viewer(query);
  try {
    return await viewer.first((message) => message.rows);
  } finally {
    viewer.close();
  }
}

test('windows of 10,000 services, worst first or as asked for', { timeout: 60_000 }, async () => {
  await start(made(10_000));
  const first = await rows('');
  assert.deepEqual([first.total, first.from, first.rows.length], [10_000, 0, 50]);
  assert.deepEqual(
    first.rows.slice(0, 7).map(({ name, state }) => [name, state]),
    [
      ['auth', 'refused'],
      ['pay', 'down'],
      ['mail', 'sorry'],
      ...first.rows.slice(3, 6).map(({ name }) => [name, 'degraded']),
      [first.rows[6]?.name, 'up'],
    ],
  );
  assert.equal(first.rows.find(({ name }) => name === 'shop')?.why, 'web1: connection refused');
  const middle = await rows('sort=name&from=5000&count=20');
  assert.deepEqual([middle.total, middle.from, middle.rows.length], [10_000, 5000, 20]);
  const names = made(10_000)
    .map(({ name, virtual }) => `${name} ${virtual}`)
    .sort();
  assert.deepEqual(middle.rows.map(keyOf), names.slice(5000, 5020));
  // Beyond the end: the last ones, so that a table that became shorter is never empty.
  const last = await rows('sort=name&from=9999999&count=20');
  assert.deepEqual([last.from, keyOf(last.rows.at(-1) ?? assert.fail())], [9980, names.at(-1)]);
  const backwards = await rows('sort=name&reverse=1&count=1');
  assert.equal(keyOf(backwards.rows[0] ?? assert.fail()), names.at(-1));
  const bad = await rows('bad=1');
  assert.deepEqual([bad.total, bad.rows.every(({ state }) => state !== 'up')], [6, true]);
  const found = await rows('q=GEO-30&sort=name');
  assert.deepEqual([found.total, found.rows[0]?.name], [11, 'geo-30']);
  assert.equal((await rows('q=10.99.39.15:443')).rows[0]?.name, made(10_000)[9999]?.name);
  assert.deepEqual(await rows('q=nothing-like-it'), { total: 0, from: 0, rows: [] });
});

test('a message has what is new: points of curves instead of curves', { timeout: 60_000 }, async (t) => {
  const services = made(10_000);
  await start(services);
  const viewer = new Viewer('sort=name');
  await viewer.first(({ rows: some }) => some?.rows.every(({ history }) => history !== undefined) || undefined);
  const index = viewer.messages.length;
  const { bytes, rows: next } = await viewer.first((message) => (message.rows ? message : undefined), index);
  assert.ok(
    next?.rows.every(({ history, point }) => history === undefined && point !== undefined),
    JSON.stringify(next),
  );
  // 50 of 10,000 services, and the sums with their curves.
  t.diagnostic(`${bytes} bytes`);
  assert.ok(bytes < 10_240, `${bytes}`);
  const { connections } = await viewer.first(({ head }) => (head && head.connections !== null ? head : undefined));
  const rate = services.reduce(
    (sum, one) => sum + (one.rate * one.servers.filter(({ state }) => state === 'up').length) / 4,
    0,
  );
  assert.ok(Math.abs((connections ?? 0) / rate - 1) < 0.5, `${connections} for ${rate}`);
  viewer.close();
});

test('an open service has its real servers; each viewer its own', { timeout: 60_000 }, async () => {
  await start(made(20));
  const [shop, search] = [new Viewer('open=shop'), new Viewer('open=search')];
  const rated = ({ open }: LiveMessage) =>
    open?.realServers.some(({ connections }) => connections !== null) ? open : undefined;
  const detail = await shop.first(rated);
  assert.deepEqual(
    detail.realServers.map(({ name, state, reason, weight }) => [name, state, reason, weight]),
    [
      ['web0', 'up', 'status 200', 1],
      ['web1', 'down', 'connection refused', 0],
      ['web2', 'up', 'status 200', 1],
      ['web3', 'up', 'status 200', 1],
    ],
  );
  assert.deepEqual([detail.state, detail.quorum], ['degraded', { needed: 1, weight: 3, up: true }]);
  assert.deepEqual([detail.pool, detail.localAddresses.map(({ address }) => address)], ['small', ['10.31.3.105']]);
  assert.equal(detail.history.at.length, detail.history.out.length);
  assert.equal((await search.first(rated)).realServers[3]?.name, 'web15');
  const none = new Viewer('open=nothing');
  assert.equal(await none.first(({ open }) => (open === null ? 'null' : undefined)), 'null');
  for (const viewer of [shop, search, none]) viewer.close();
});

test('events come at once, and a change with them; differences are counted', { timeout: 60_000 }, async () => {
  const services = made(20);
  await start(services);
  daemon.events.add('table.drift', 'warning', 'an older one', { service: 'shop' });
  const viewer = new Viewer('');
  assert.equal((await viewer.first(({ events }) => events))[0]?.text, 'an older one');
  assert.equal((await viewer.first(({ head }) => (head?.repaired ? head : undefined))).repaired, 1);
  const index = viewer.messages.length;
  Object.assign(services[1]?.servers[0] ?? {}, { state: 'down', reason: 'connection refused' });
  daemon.events.add('table.drift', 'warning', 'a newer one');
  const events = await viewer.first((message) => message.events, index);
  assert.deepEqual(
    events.map(({ text }) => text),
    ['a newer one'],
  );
  const isNews = ({ rows: some }: LiveMessage) => some?.rows.find(({ name, up }) => name === 'api' && up === 3);
  assert.equal((await viewer.first(isNews, index)).why, 'web4: connection refused');
  // The event is counted at once, the service with the next answer.
  const { repaired } = await viewer.first(({ head }) => (head?.bad === 7 ? head : undefined), index);
  assert.equal(repaired, 2);
  viewer.close();
});

test('without a daemon the last values stay, with a reason; it is found again', { timeout: 60_000 }, async () => {
  const services = made(20);
  await start(services);
  const viewer = new Viewer('');
  await viewer.first(({ rows: some }) => some);
  daemon.server.close();
  const { problem, rows: some, age } = await viewer.first((message) => (message.problem ? message : undefined));
  assert.match(problem ?? '', /^(no daemon answers|lvsd closed the connection)/);
  assert.deepEqual([some, age > 0], [undefined, true]);
  const index = viewer.messages.length;
  const again = fakeDaemon(fleet(services), { path: daemon.path, methods: READ_ONLY });
  await viewer.first((message) => (message.problem === undefined ? message : undefined), index);
  viewer.close();
  again.server.close();
});

test('a process of VRRP that does not answer costs the virtual routers only', { timeout: 60_000 }, async () => {
  const vrrp = () => {
    throw new LvsdError('ERR_LVSD_VRRP', 'the process of VRRP does not answer');
  };
  await start(made(20), { vrrp });
  const viewer = new Viewer('');
  const { rows: some, side, problem } = await viewer.first((message) => message);
  assert.deepEqual([some?.total, side?.vrrp, side?.pools.length, problem], [20, [], 2, undefined]);
  viewer.close();
});

test('without a viewer the daemon is not asked, and without a daemon a viewer is told why', {
  timeout: 60_000,
}, async () => {
  await start(made(1));
  assert.equal((await get('/')).status, 200);
  assert.deepEqual(daemon.log.lines, []);
  daemon.server.close();
  const viewer = new Viewer('');
  const { problem, head } = await viewer.first((message) => message);
  assert.match(problem ?? '', /^no daemon answers on/);
  assert.equal(head, undefined);
  viewer.close();
});

test('20 viewers; another one is told when to try again; mistakes are errors', { timeout: 60_000 }, async () => {
  await start(made(5));
  const viewers = Array.from({ length: 20 }, () => new Viewer(''));
  await Promise.all(viewers.map((viewer) => viewer.first(({ rows: some }) => some)));
  const { status, headers } = await get('/live');
  assert.deepEqual([status, headers['retry-after']], [503, '10']);
  for (const viewer of viewers) viewer.close();
  for (const query of [
    'x=1',
    'from=-1',
    'from=1e3',
    'count=101',
    'sort=up',
    'bad=yes',
    'reverse=2',
    `q=${'x'.repeat(201)}`,
  ])
    assert.equal((await get(`/live?${query}`)).status, 400, query);
  assert.equal((await get('/live', {}, 'HEAD')).status, 200);
});

test('the files: from memory, with a tag, compressed, and with a policy without exceptions', async () => {
  await start([]);
  const policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  for (const [path, type] of [
    ['/', 'text/html'],
    ['/page.js', 'text/javascript'],
    ['/page.css', 'text/css'],
  ] as const) {
    const { status, headers, body } = await get(path);
    assert.deepEqual([status, headers['content-type']], [200, `${type}; charset=utf-8`]);
    assert.deepEqual([headers['content-security-policy'], headers['cache-control']], [policy, 'no-cache']);
    const zipped = await get(path, { 'Accept-Encoding': 'gzip' });
    assert.equal(zipped.headers['content-encoding'], 'gzip');
    assert.deepEqual(gunzipSync(zipped.body), body);
    assert.notEqual(zipped.headers.etag, headers.etag);
    const again = await get(path, { 'If-None-Match': headers.etag ?? '' });
    assert.deepEqual([again.status, again.body.length, again.headers.etag], [304, 0, headers.etag]);
    assert.equal((await get(path, { 'If-None-Match': '"other"' })).status, 200);
    const head = await get(path, {}, 'HEAD');
    assert.deepEqual([head.status, head.body.length], [200, 0]);
    // Nothing of it comes from another server.
    assert.doesNotMatch(String(body).replaceAll('http://www.w3.org/', ''), /["'(]https?:\/\/|["'(]\/\//, path);
  }
  const script = await get('/page.js', { 'Accept-Encoding': 'gzip' });
  assert.ok(script.body.length < 45_000, `${script.body.length}`);
});

test('a link from another site opens the page, and gets nothing else', async () => {
  await start([]);
  const link = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
  assert.equal((await get('/?open=shop', link)).status, 200);
  assert.equal((await get('/', { ...link, 'Sec-Fetch-Dest': 'iframe' })).status, 403);
  assert.equal((await get('/', { ...link, 'Sec-Fetch-Mode': 'no-cors' })).status, 403);
  for (const path of ['/metrics', '/live', '/events', '/page.js', '//x/', '/x'])
    assert.equal((await get(path, link)).status, 403, path);
});
