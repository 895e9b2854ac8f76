// SPDX-License-Identifier: MIT
// `lvsd web` with a daemon whose answers are not those that it expects: it says so, and goes on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { parseListen } from '../../../src/web/listen.ts';
import type { LiveMessage } from '../../../src/web/page/messages.ts';
import { webServer } from '../../../src/web/server.ts';
import { STATUS } from '../control/daemon.ts';
import { type Answers, changed, jsonType, odd, parts, pathText, VALUES } from '../control/odd-daemon.ts';
import { STATS } from '../control/stats.ts';
import { ask } from './request.ts';

const OVERVIEW = { ...STATUS, host: 'lb1', reasons: [] };
const GOOD: Answers = {
  stats: STATS.summary,
  overview: OVERVIEW,
  vrrp: { instances: [] },
  events: { cursor: '1f00ba5e:1' },
};

/** `lvsd web` in front of such a daemon. */
async function web(path: string) {
  const log: string[] = [];
  const server = webServer({
    listen: parseListen('127.0.0.1:5873'),
    socket: path,
    hosts: [],
    log: (text) => log.push(text),
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    log,
    port,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What the stream sends until `enough`, or its end. */
function stream(port: number, path: string, enough: RegExp): Promise<string> {
  return new Promise((resolve) => {
    const request = httpRequest({ host: '127.0.0.1', port, path }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += String(chunk);
        if (!enough.test(text)) return;
        request.destroy();
        resolve(text);
      });
      response.on('close', () => resolve(text));
    });
    request.on('error', () => {});
    request.end();
  });
}

const INTERNAL = /TypeError|undefined|Cannot|not iterable|not a function|node:internal| at /;

test('answers to stats: lvsd_up 0, and one line in the log', { timeout: 60_000 }, async () => {
  const rows = (params: unknown) => ({ stats: [['rows', params]] }) as Record<string, [string, unknown][]>;
  const cases: [Answers, Record<string, [string, unknown][]>?][] = [
    [{ stats: null }],
    [{ stats: {} }],
    [{ stats: [] }],
    [{ stats: { ...STATS.summary, netlink: undefined } }],
    [{}, rows(null)],
    [{}, rows({ table: '__proto__', rows: [[1]] })],
    [{}, rows({ table: 'services', rows: [null] })],
    [{}, rows({ table: 'services', rows: [[{}]] })],
  ];
  for (const [answers, notes] of cases) {
    using daemon = await odd({ ...GOOD, ...answers }, notes);
    using served = await web(daemon.path);
    for (let i = 0; i < 2; i++) {
      const { status, body } = await ask(served.port, '/metrics');
      assert.equal(status, 200);
      assert.match(String(body), /^lvsd_up 0$/m);
    }
    assert.equal(served.log.length, 1, served.log.join('\n'));
    assert.match(served.log[0] ?? '', /are both of the same version\?/);
  }
});

test('a value of another type anywhere in the numbers: the scrape is whole, or lvsd_up 0', {
  timeout: 120_000,
}, async () => {
  const answers = { ...GOOD };
  using daemon = await odd(answers);
  using served = await web(daemon.path);
  for (const { path, value: right } of parts(STATS.summary))
    for (const value of [...VALUES, undefined]) {
      answers.stats = changed(STATS.summary, path, value);
      const what = `${pathText(path)} = ${JSON.stringify(value)}`;
      const { status, body } = await ask(served.port, '/metrics');
      assert.equal(status, 200, what);
      assert.match(String(body), /^lvsd_scrape_duration_seconds [0-9.e-]+\n$/m, what);
      const up = /^lvsd_up 1$/m.test(String(body));
      if (!up) assert.match(String(body), /^lvsd_up 0$/m, what);
      else if (value !== undefined && value !== null) assert.equal(jsonType(value), jsonType(right), what);
    }
  // Each names the field.
  for (const line of served.log)
    assert.match(line, /^(lvsd sent an answer to stats that .* is (missing|.*, not ).*|the daemon answers again)/);
});

test('the page shows that answers are not understood', { timeout: 60_000 }, async () => {
  const cases: Answers[] = [
    { stats: null },
    { stats: {} },
    { overview: null },
    { overview: {} },
    { overview: { ...OVERVIEW, reasons: [null] } },
    { overview: { ...OVERVIEW, failures: [{}] } },
    { vrrp: { instances: [null] } },
    { vrrp: { instances: [{}] } },
  ];
  for (const answers of cases) {
    using daemon = await odd({ ...GOOD, ...answers });
    using served = await web(daemon.path);
    const text = await stream(served.port, '/live', /\n\n/);
    const { problem = '' } = JSON.parse(text.replace(/^data: /, '')) as LiveMessage;
    assert.match(problem, /are both of the same version\?$/, JSON.stringify(answers));
    assert.doesNotMatch(problem, INTERNAL);
    assert.equal(served.log.length, 1, served.log.join('\n'));
    assert.equal((await ask(served.port, '/')).status, 200);
  }
});

test('events: none of a wrong shape, and no field of a stream from their values', { timeout: 60_000 }, async () => {
  const event = { epoch: '1f00ba5e', sequence: 1, at: 1, kind: 'table.drift', severity: 'info', text: 'x' };
  const wrong = [
    null,
    { gap: null },
    { ...event, text: undefined },
    { ...event, epoch: '1f00ba5e\n\nevent: evil\ndata: x' },
    { ...event, sequence: '1\nevent: evil' },
  ];
  for (const item of wrong) {
    using daemon = await odd(GOOD, { events: [['events', [event, item]]] });
    using served = await web(daemon.path);
    assert.doesNotMatch(await stream(served.port, '/events', /evil/), /evil/);
    assert.match(await stream(served.port, '/live', /"head"/), /"head"/);
    for (const end = Date.now() + 20_000; served.log.length === 0; await new Promise((go) => setTimeout(go, 10)))
      assert.ok(Date.now() < end, 'nothing in the log');
    assert.match(served.log[0] ?? '', /^lvsd sent events that/);
    assert.equal((await ask(served.port, '/metrics')).status, 200);
  }
});
