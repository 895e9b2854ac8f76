// SPDX-License-Identifier: MIT
// lvsctl with a daemon whose answers are not of the types that it expects: one line that names the field, and no stack trace.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { LvsdError } from '../../../src/base/errors.ts';
import { printable } from '../../../src/base/printable.ts';
import { ControlClient } from '../../../src/control/client.ts';
import { execute } from '../../../src/control/lvsctl/execute.ts';
import { PLAIN } from '../../../src/control/lvsctl/terminal.ts';
import { frame } from '../../../src/control/lvsctl/top/frame.ts';
import { Model } from '../../../src/control/lvsctl/top/model.ts';
import { readTopOptions } from '../../../src/control/lvsctl/top/options.ts';
import { VERBS } from '../../../src/control/lvsctl/verbs/index.ts';
import type { VerbOptions } from '../../../src/control/lvsctl/verbs/verb.ts';
import type { OverrideStatus, RealServerStatus } from '../../../src/control/messages.ts';
import type { Method, Result } from '../../../src/control/methods.ts';
import { DOWN_TEXT } from '../../../src/control/metrics/text.ts';
import { type Answers, changed, jsonType, odd, type Path, parts, pathText, Rpc, VALUES } from './odd-daemon.ts';
import { STATS } from './stats.ts';

const OVERRIDES: OverrideStatus[] = [{ kind: 'weight', weight: 3, by: 'alice', at: 1, reason: 'CHG-1' }];

/** Every field, as a daemon might send it. */
const SERVER: RealServerStatus = {
  ...{ name: 'web1', address: '10.31.4.2', port: 8443, weight: 2, effectiveWeight: 1, state: 'up', override: 'up' },
  ...{ overrides: OVERRIDES, since: 1, reason: 'ok', code: 'status', latency: 1.5, lastResultAt: 1 },
  ...{ inability: { since: 1, reason: 'no descriptors' }, activeConnections: 1, inactiveConnections: 2 },
  checks: [{ type: 'tcp', target: '10.31.4.2:80', up: true, since: 1, reason: 'ok', code: 'status', latency: 1 }],
};

const OVERRIDDEN: Result<'drain'> = {
  servers: ['shop web1'],
  unchanged: [],
  paused: false,
  unsaved: 'disk full',
  notes: ['a note'],
  plan: [{ sign: '+', service: 'shop', text: 'real server' }],
};

const DAEMON: Omit<Result<'status'>, 'connectionSync'> = {
  ...{ version: '1', pid: 7, startedAt: 1, file: 'f', loadedAt: 1, reloadError: 'line 3', paused: true },
  checks: { stopped: { since: 1, reason: 'killed', restarts: 2 }, lastResultAt: 1 },
  files: [{ file: 'f', problem: 'ignored', since: 1, reason: 'damaged', keptAs: 'g' }],
  failures: [
    {
      ...{ of: 'pool', name: 'inner', since: 1, attempts: 2, nextAttemptAt: 3 },
      changes: [{ sign: '+', text: 'address', reason: 'no device' }],
    },
  ],
  orphans: [{ service: 'shop', server: 'web9', kind: 'drain', weight: 1, by: 'bob', at: 1, reason: 'gone' }],
  vrrp: [{ name: 'edge', state: 'master', since: 1, reason: 'no advert' }],
  services: [
    {
      ...{ name: 'shop', virtuals: ['tcp 10.99.0.10:443'], scheduler: 'wrr', sorry: true },
      ...{ quorum: { needed: 1, weight: 1, up: true }, realServers: [SERVER], error: 'refused', errorSince: 1 },
    },
  ],
};

const RIGHT: { readonly [M in Method]: Result<M> } = {
  ping: { version: '1', pid: 7, file: 'f' },
  status: {
    ...DAEMON,
    connectionSync: { device: 'eth1', id: 5, follow: 'edge', wanted: ['backup'], running: ['master'] },
  },
  overview: { ...DAEMON, host: 'lb1', reasons: [{ service: 'shop', virtual: 'tcp', reason: 'down' }] },
  stats: STATS.summary,
  history: {
    servers: [
      {
        ...{ service: 'shop', virtual: 'tcp', server: 'web1', state: 'up' },
        checks: [
          {
            ...{ type: 'tcp', target: 't', up: true, since: 1, probes: 5, failures: 1, recent: '+-' },
            transitions: [{ at: 1, up: true, reason: 'ok', code: 'status' }],
            lastFailures: [{ at: 1, reason: 'refused', code: 'refused', latency: 1 }],
            reasons: [{ reason: 'refused', count: 1 }],
          },
        ],
      },
    ],
  },
  vrrp: {
    instances: [
      {
        ...{ name: 'edge', state: 'backup', since: 1, reason: 'start', interface: 'eth0', family: 'ipv4', version: 3 },
        ...{ virtualRouterId: 7, group: 'all', priority: 100, configuredPriority: 100, interval: 1000, unicast: true },
        addresses: [{ address: '10.99.0.10', prefix: 24, device: 'eth0' }],
        faults: ['a', 'b'],
        tracked: [{ kind: 'service', name: 'shop', up: true, weight: 5 }],
        counters: { sent: 1 },
        lastRejected: { reason: 'password', text: 'wrong', source: '10.99.0.3', at: 1 },
      },
    ],
  },
  plan: {
    file: 'f',
    lines: [{ sign: '+', service: 'shop', text: 'real server' }],
    obstacles: [{ text: 'no module', kernel: true }],
    paused: true,
  },
  reload: { operations: 3, failed: ['one'], paused: true },
  drain: OVERRIDDEN,
  undrain: OVERRIDDEN,
  disable: OVERRIDDEN,
  enable: OVERRIDDEN,
  forceUp: OVERRIDDEN,
  weight: { ...OVERRIDDEN, weight: 3 },
  pause: { paused: true },
  events: { cursor: '1f00ba5e:1' },
  'config.summary': {
    web: {
      ...{ listen: ['127.0.0.1:1'], serve: ['page'], hosts: ['a'], users: 'u', insecure: false },
      tls: { certificate: 'c', key: 'k', clientCa: 'a' },
    },
  },
  yield: { instance: 'edge', state: 'backup', reason: 'start' },
  announce: { instance: 'edge', state: 'backup' },
  secret: { fingerprints: ['0011', '2233'] },
};

/** Of stats. */
const NULLABLE: ReadonlySet<string> = new Set(['checks', 'ipvs', 'kernelCounters', 'reconcile.lastSuccess']);

/** Runs a verb; the text of the error, or undefined. Fails for an error that is not one of ours. */
async function attempt(path: string, name: string, options: VerbOptions, json: boolean): Promise<string | undefined> {
  const verb = VERBS[name];
  assert.ok(verb);
  const client = await ControlClient.open(path);
  try {
    const streams = { out: () => {}, err: () => {}, paint: PLAIN };
    await execute(client, { verb, params: {}, options }, json, streams);
    return undefined;
  } catch (error) {
    if (!(error instanceof LvsdError)) throw error;
    return error.message;
  } finally {
    client.close();
  }
}

/** Fails with the place of an error. */
async function at<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.stack : error}`);
  }
}

const show = (path: Path, value: unknown) => `${pathText(path) || 'all'} = ${JSON.stringify(value) ?? 'missing'}`;

test('each right answer is understood', async () => {
  for (const [name, { method }] of Object.entries(VERBS)) {
    using daemon = await odd(RIGHT);
    for (const json of [false, true]) assert.equal(await attempt(daemon.path, name, {}, json), undefined, method);
  }
});

for (const [name, { method }] of Object.entries(VERBS))
  test(`${name}: a value of another type anywhere in the answer is an error that names it`, async () => {
    const answers: Answers = { ...RIGHT };
    using daemon = await odd(answers);
    const variants: VerbOptions[] = name === 'status' ? [{}, { brief: true }, { server: 'web1' }] : [{}];
    for (const { path, value: right } of parts(JSON.parse(JSON.stringify(RIGHT[method])))) {
      for (const value of [...VALUES, undefined]) {
        answers[method] = changed(RIGHT[method], path, value);
        const what = show(path, value);
        for (const options of variants) {
          const message = await at(what, () => attempt(daemon.path, name, options, false));
          if (message === undefined) {
            const absent = value === undefined || (value === null && NULLABLE.has(pathText(path)));
            assert.ok(absent || jsonType(value) === jsonType(right), `${what} was accepted`);
            continue;
          }
          assert.match(
            message,
            new RegExp(`^lvsd sent an answer to ${method} that this program does not understand: `),
          );
          assert.match(message, /; are both of the same version\?$/);
          const named = path.length === 0 ? 'the answer' : pathText(path);
          // In a value of the right type, a part of it is missing or wrong.
          if (jsonType(value) !== jsonType(right)) assert.ok(message.includes(`: ${named} is `), `${what}: ${message}`);
          assert.equal(message, printable(message));
        }
      }
    }
  });

test('top: numbers of any size make a frame', async () => {
  const screen = readTopOptions({}).screen;
  for (const { path } of parts(STATS.localAddresses))
    for (const value of [0, -1, 1e300, -1e300, null]) {
      const stats = { ...STATS, localAddresses: changed(STATS.localAddresses, path, value) as never };
      if (path.length < 2) continue;
      const lines = frame({ view: new Model().update(stats, undefined), screen, open: [], now: 1 }, 20, 100, PLAIN);
      assert.equal(lines.length, 20, show(path, value));
    }
});

test('rows and events of another type', async () => {
  const event = { epoch: '1f00ba5e', sequence: 1, at: 1, kind: 'table.drift', severity: 'info', text: 'x' };
  const notes: [verb: string, method: string, right: unknown][] = [
    ...(['services', 'realServers', 'localAddresses'] as const).map((table): [string, string, unknown] => [
      'metrics',
      'rows',
      { table, rows: STATS[table].slice(0, 1) },
    ]),
    ['events', 'events', [{ ...event, service: 'shop', instance: 'edge' }]],
    ['events', 'events', [{ gap: { from: 1, to: 2 } }]],
    ['events', 'events', [{ gap: { cursor: 'x' } }]],
  ];
  for (const [name, notification, right] of notes)
    for (const { path, value: old } of parts(right))
      for (const value of [...VALUES, undefined]) {
        const params = changed(right, path, value) ?? null;
        using daemon = await odd(RIGHT, { [name === 'metrics' ? 'stats' : 'events']: [[notification, params]] });
        const what = `${notification} ${show(path, value)}`;
        const message = await at(what, () => attempt(daemon.path, name, {}, false));
        if (message !== undefined) assert.match(message, /^lvsd sent (rows|events) that this program does not/, what);
        // The next test checks cells by their columns.
        else if (path.length === 3 && notification === 'rows')
          assert.ok(value === undefined || value === null || ['string', 'number'].includes(typeof value), what);
        else assert.ok(value === undefined || jsonType(value) === jsonType(old), what);
      }
});

test('rows of a daemon with other columns, and instants that are none', async () => {
  const [row = []] = STATS.services;
  const event = { epoch: '1f00ba5e', sequence: 1, at: 1, kind: 'table.drift', severity: 'info', text: 'x' };
  const cases: [verb: string, method: string, params: unknown, text: RegExp | undefined][] = [
    ['metrics', 'rows', { table: 'services', rows: [[...row, 1, 'x', null]] }, undefined],
    [
      'metrics',
      'rows',
      { table: 'services', rows: [row.slice(0, -1)] },
      /: rows\[0\] is a list, not a list of at least 27;/,
    ],
    ['metrics', 'rows', { table: 'services', rows: [[...row, [[]]]] }, /: rows\[0\]\[27\] is a list, not a string, a/],
    ['metrics', 'rows', { table: 'services', rows: [row.with(1, 1)] }, /: rows\[0\]\[1\] is 1, not a string;/],
    [
      'metrics',
      'rows',
      { table: 'services', rows: [row.with(9, '4')] },
      /: rows\[0\]\[9\] is "4", not a number or null;/,
    ],
    ['events', 'events', [{ ...event, at: 8.64e15 }], undefined],
    ['events', 'events', [{ ...event, at: 8.65e15 }], /: \[0\]\.at is 8650000000000000, not an instant;/],
    ['events', 'events', [{ ...event, at: '1e999' }], /: \[0\]\.at is a number beyond all limits, not an instant;/],
  ];
  for (const [name, notification, params, text] of cases) {
    using daemon = await odd(RIGHT, { [name === 'metrics' ? 'stats' : 'events']: [[notification, params]] });
    daemon.raw = (line) => line.replace('"1e999"', '1e999');
    const message = await attempt(daemon.path, name, {}, true);
    if (text) assert.match(message ?? '', text);
    else assert.equal(message, undefined);
  }
});

test('errors of another type', async () => {
  const right = { code: -32001, message: 'no', data: { code: 'ERR_X' } };
  for (const { path } of parts(right))
    for (const value of VALUES) {
      using daemon = await odd({ status: new Rpc(changed(right, path, value)) });
      const message = await at(show(path, value), () => attempt(daemon.path, 'status', {}, false));
      assert.equal(typeof message, 'string', show(path, value));
    }
});

test('an answer that is nested too deep to be printed', async () => {
  const deep = JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`) as unknown;
  // JSON.stringify cannot write it either.
  const text = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  assert.ok(deep);
  using daemon = await odd({ ping: 1, status: { ...RIGHT.status, more: { raw: text } } });
  daemon.raw = (line) => line.replace(JSON.stringify(text), text);
  for (const json of [false, true])
    assert.match((await attempt(daemon.path, 'status', {}, json)) ?? '', /has more than 32 levels/);
});

test('the program prints one line and fails', async (t: TestContext) => {
  const program = new URL('../../../dist/bin/lvsctl.cjs', import.meta.url).pathname;
  const wrong: [words: string[], Answers, text: string][] = [
    [['status'], { status: changed(RIGHT.status, ['services', 0, 'name'], 5) }, 'services[0].name is 5, not a string'],
    [['vrrp'], { vrrp: { instances: null } }, 'instances is null, not a list'],
    [['plan'], { plan: {} }, 'file is missing (a string)'],
    [['metrics'], { stats: changed(STATS.summary, ['table', 'age'], '1\n2') }, 'table.age is "1\\n2", not a number'],
    [['top', '--once'], { stats: changed(STATS.summary, ['vrrp'], [null]) }, 'vrrp[0] is null, not an object'],
  ];
  for (const [words, answers, text] of wrong)
    await t.test(words.join(' '), async () => {
      using daemon = await odd({ ...RIGHT, ...answers });
      const { code, out, err } = await new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
        execFile(process.execPath, [program, '-s', daemon.path, ...words], (error, out, err) =>
          resolve({ code: error?.code ?? 0, out, err }),
        );
      });
      assert.equal(
        err,
        `lvsctl: lvsd sent an answer to ${Object.keys(answers)[0]} that this program does not understand: ${text}; are both of the same version?\n`,
      );
      assert.deepEqual([code, out], [1, words[0] === 'metrics' ? DOWN_TEXT : '']);
    });
});
