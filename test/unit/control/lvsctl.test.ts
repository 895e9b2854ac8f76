// SPDX-License-Identifier: MIT
// The program itself with a control server: output and exit statuses.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EXIT, LvsdError, UsageError } from '../../../src/base/errors.ts';
import { ControlClient } from '../../../src/control/client.ts';
import { execute } from '../../../src/control/lvsctl/execute.ts';
import { filterStatus } from '../../../src/control/lvsctl/filter.ts';
import { historyText } from '../../../src/control/lvsctl/history.ts';
import { parseInvocation } from '../../../src/control/lvsctl/options.ts';
import { briefText, statusText } from '../../../src/control/lvsctl/status.ts';
import { COLOURED, PLAIN, paintFor } from '../../../src/control/lvsctl/terminal.ts';
import { VERBS } from '../../../src/control/lvsctl/verbs/index.ts';
import { vrrpText } from '../../../src/control/lvsctl/vrrp.ts';
import { latencyText, spanText } from '../../../src/control/lvsctl/words.ts';
import type {
  DaemonStatus,
  RealServerStatus,
  SyncRole,
  SyncStatus,
  VrrpStatus,
} from '../../../src/control/messages.ts';
import { fakeDaemon, freshPath, STATUS } from './daemon.ts';

const program = new URL('../../../dist/bin/lvsctl.cjs', import.meta.url).pathname;

/** Runs lvsctl on the daemon's socket. */
async function lvsctl(path: string, ...words: string[]) {
  const env = { ...process.env, TZ: 'UTC', NO_COLOR: '1' };
  const child = spawn(process.execPath, [program, '-s', path, ...words], { stdio: ['ignore', 'pipe', 'pipe'], env });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, err };
}

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 22, 19, 24, 41);

const SERVER: RealServerStatus = {
  name: '10.31.4.2:8443',
  address: '10.31.4.2',
  port: 8443,
  weight: 2,
  effectiveWeight: 2,
  state: 'up',
  override: undefined,
  since: NOW - 3 * HOUR - 5 * 60_000 - 7000,
  reason: undefined,
  latency: 1.234,
  activeConnections: 1200,
  inactiveConnections: 3,
};

const SHOP: DaemonStatus = {
  ...STATUS,
  version: '1.2.3',
  startedAt: NOW - 50 * HOUR,
  loadedAt: NOW - HOUR,
  services: [
    {
      name: 'shop',
      virtuals: ['tcp 10.99.0.10:443'],
      scheduler: 'wrr',
      quorum: { needed: 2, weight: 3, up: true },
      sorry: false,
      error: undefined,
      realServers: [
        SERVER,
        {
          ...SERVER,
          name: 'web2',
          address: '2001:db8::2',
          state: 'down',
          effectiveWeight: 0,
          since: NOW - 9000,
          reason: 'connection refused',
          latency: 1500,
        },
        {
          ...SERVER,
          name: 'web3',
          address: '10.31.4.4',
          state: 'draining',
          override: 'drain',
          effectiveWeight: 0,
          weight: 1,
        },
        { ...SERVER, name: 'web4', address: '10.31.4.5', state: 'unchecked', since: undefined, latency: undefined },
      ],
    },
    {
      name: 'mail',
      virtuals: ['fwmark 7'],
      scheduler: 'rr',
      quorum: { needed: 1, weight: 0, up: false },
      sorry: true,
      error: 'no such device\x1b[2J',
      realServers: [],
    },
  ],
};

test('status as text', () => {
  assert.equal(
    statusText(SHOP, PLAIN, NOW).replace(/loaded .*/, 'loaded T'),
    `lvsd 1.2.3, pid 4711, for 2d 2h
/etc/lvsd/lvsd.yaml, loaded T

shop  tcp 10.99.0.10:443  wrr  quorum 2, has 3
  REAL SERVER     ADDRESS             STATE      SINCE  WEIGHT  ACTIVE  INACTIVE  PROBE  WHY
  10.31.4.2:8443                      up         3h 5m       2    1200         3  1.2ms
  web2            [2001:db8::2]:8443  down          9s  0 of 2    1200         3   1.5s  connection refused
  web3            10.31.4.4:8443      draining   3h 5m  0 of 1    1200         3  1.2ms  drained by the operator
  web4            10.31.4.5:8443      unchecked              2    1200         3

mail  fwmark 7  rr  no quorum: needs 1, has 0  sorry server
  rejected by the kernel: no such device\\x1b[2J

2 services, 4 real servers: 1 up, 1 down, 1 draining, 1 unchecked; 1 without quorum
`,
  );
  const wrong = { ...SHOP, services: [], paused: true, reloadError: 'lvsd.yaml:3:1: unknown key\nmore' };
  assert.equal(
    statusText(wrong, PLAIN, NOW).replace(/loaded .*/, 'loaded T'),
    `lvsd 1.2.3, pid 4711, for 2d 2h
/etc/lvsd/lvsd.yaml, loaded T
the last reload was rejected: lvsd.yaml:3:1: unknown key; and 1 more: lvsd check -f /etc/lvsd/lvsd.yaml
paused: nothing is written to the kernel (end with: lvsctl resume)

0 services, 0 real servers
`,
  );
});

test('status says which roles of connection sync run, and which should', () => {
  const line = (follow: string | undefined, wanted: SyncRole[], running: SyncRole[]) =>
    statusText({ ...SHOP, connectionSync: { device: 'eth1', id: 51, follow, wanted, running } }, PLAIN, NOW).split(
      '\n',
    )[2];
  const text = 'connection sync on eth1, id 51: ';
  assert.equal(line('edge', ['backup'], ['backup']), `${text}backup (follows edge)`);
  assert.equal(line(undefined, ['backup', 'master'], ['backup', 'master']), `${text}backup, master`);
  assert.equal(
    line('edge', ['backup', 'master'], []),
    `${text}nothing runs (follows edge); not running: backup, master`,
  );
  assert.equal(
    line('edge', ['backup'], ['backup', 'master']),
    `${text}backup, master (follows edge); not wanted: master`,
  );
});

test('status has a line for each of several checks', () => {
  const check = {
    type: 'http',
    target: '10.31.4.2:8443',
    up: true,
    since: NOW - 9000,
    reason: 'status 200',
    latency: 2,
  };
  const failing = { ...check, type: 'tcp', target: '10.31.4.2:22', up: false, reason: 'connection refused' };
  const server = { ...SERVER, name: 'web1', state: 'down' as const, reason: 'connection refused', latency: 2 };
  const [shop] = SHOP.services;
  assert.ok(shop);
  const services = [{ ...shop, realServers: [{ ...server, checks: [check, failing] }] }];
  assert.deepEqual(
    statusText({ ...SHOP, services }, PLAIN, NOW)
      .split('\n')
      .slice(4, 8),
    [
      '  REAL SERVER   ADDRESS         STATE  SINCE  WEIGHT  ACTIVE  INACTIVE  PROBE  WHY',
      '  web1          10.31.4.2:8443  down   3h 5m       2    1200         3  2.0ms  connection refused',
      '  - http check  10.31.4.2:8443  up        9s                            2.0ms  status 200',
      '  - tcp check   10.31.4.2:22    down      9s                            2.0ms  connection refused',
    ],
  );
});

test('status --brief has one line for each service', () => {
  const lines = (text: string) => text.split('\n').slice(3, -1);
  assert.deepEqual(lines(briefText(SHOP, PLAIN, NOW)), [
    'SERVICE  VIRTUAL             QUORUM            WEIGHT  SERVERS  ACTIVE  NOT UP      REJECTED BY THE KERNEL',
    'shop     tcp 10.99.0.10:443  up            3, needs 2   2 of 4    4800  web2, web3',
    'mail     fwmark 7            sorry server  0, needs 1   0 of 0       0              no such device\\x1b[2J',
    '',
    '2 services, 4 real servers: 1 up, 1 down, 1 draining, 1 unchecked; 1 without quorum',
  ]);
  const web2 = filterStatus(SHOP, { server: 'web2' });
  const [, line] = lines(briefText(web2, PLAIN, NOW, SHOP.services));
  assert.match(line ?? '', /^shop .* 2 of 4 +4800 +web2$/);
});

test('filters select real servers, and services that have matching ones', () => {
  const found = (filter: Parameters<typeof filterStatus>[1]) =>
    filterStatus(SHOP, filter).services.map(({ name, realServers }) => [name, ...realServers.map((one) => one.name)]);
  assert.equal(filterStatus(SHOP, {}), SHOP);
  assert.deepEqual(found({ down: true }), [['shop', 'web2'], ['mail']]);
  assert.deepEqual(found({ state: 'draining' }), [['shop', 'web3']]);
  assert.deepEqual(found({ state: 'unchecked', down: true }), []);
  for (const server of ['web2', '2001:db8::2', '[2001:db8::2]:8443'])
    assert.deepEqual(found({ server }), [['shop', 'web2']], server);
  assert.deepEqual(found({ server: 'web2', state: 'up' }), []);
  const text = statusText(filterStatus(SHOP, { down: true }), PLAIN, NOW, SHOP.services);
  assert.match(text, /^2 of 2 services, 4 real servers: 1 up, /m);
  assert.doesNotMatch(text, /web3/);
});

test('history as text', () => {
  const check = {
    type: 'http',
    target: '10.31.4.3:8443',
    up: false,
    since: NOW - 9000,
    probes: 1200,
    failures: 7,
    recent: '+++-+---',
    transitions: [{ at: NOW - 9000, up: false, reason: 'status 503, wanted 200\x1b[2J' }],
    lastFailures: [{ at: NOW - 9000, reason: 'connection refused', latency: 0.4 }],
    reasons: [
      { reason: 'connection refused', count: 5 },
      { reason: '', count: 12 },
    ],
  };
  const server = { service: 'shop', virtual: 'tcp 10.99.0.10:443', server: 'web2', state: 'down' as const };
  const checked = { ...server, checks: [check] };
  const none = { ...server, service: 'mail', state: 'unchecked' as const, checks: [] };
  assert.equal(
    historyText([checked, none], PLAIN, NOW).replaceAll(/\d{4}-\S+ \S+/g, 'T'),
    `shop  tcp 10.99.0.10:443  real server web2  down
  http check of 10.31.4.3:8443: down for 9s
    1200 probes, 7 failed; the last 8, oldest first: +++-+---
    transitions:
      T  down  status 503, wanted 200\\x1b[2J
    last failures:
      T  0.4ms  connection refused
    failures by reason:
       5  connection refused
      12  other reasons

mail  tcp 10.99.0.10:443  real server web2  unchecked
  not checked
`,
  );
});

test('status --watch repeats until interrupted, as JSON with one line a round', async () => {
  using daemon = fakeDaemon({ status: () => SHOP });
  const child = spawn(process.execPath, [program, '-s', daemon.path, '--json', 'status', '--down', '--watch']);
  let out = '';
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
      if (out.split('\n').length > 2) resolve();
    });
  });
  child.kill('SIGINT');
  await once(child, 'close');
  const [first, second] = out.split('\n').map((line) => line && (JSON.parse(line) as DaemonStatus));
  assert.deepEqual(first, second);
  assert.deepEqual(
    first !== undefined && first !== '' && first.services.map(({ realServers }) => realServers.length),
    [1, 0],
  );
});

test('colours are added on terminals only, and change nothing else', () => {
  const coloured = statusText(SHOP, COLOURED, NOW);
  assert.ok(coloured.includes('\x1b[31mdown\x1b[0m'));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of colours
  assert.equal(coloured.replace(/\x1b\[\d+m/g, ''), statusText(SHOP, PLAIN, NOW));
  assert.equal(paintFor({ isTTY: true }, {}), COLOURED);
  assert.equal(paintFor({ isTTY: true }, { NO_COLOR: '1' }), PLAIN);
  assert.equal(paintFor({ isTTY: true }, { TERM: 'dumb' }), PLAIN);
  assert.equal(paintFor({}, {}), PLAIN);
});

test('durations as text', () => {
  const spans: [number, string][] = [
    [-5, '0s'],
    [999, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_661_000, '1h 1m'],
    [86_400_000, '1d'],
    [90_061_000 * 10, '10d 10h'],
  ];
  for (const [milliseconds, text] of spans) assert.equal(spanText(milliseconds), text);
  assert.deepEqual([0.04, 9.99, 10.4, 999.4, 1000].map(latencyText), ['0.0ms', '10.0ms', '10ms', '999ms', '1.0s']);
});

test('each command calls its method and prints the answer', async () => {
  using daemon = fakeDaemon();
  const run = (...words: string[]) => lvsctl(daemon.path, ...words);
  const fine = (out: string) => ({ code: 0, out, err: '' });
  assert.deepEqual(await run('reload'), fine('reloaded: 3 operations, 0 failed\n'));
  assert.deepEqual(await run('drain', 'web1'), fine('shop web1: drained\n'));
  assert.deepEqual(await run('drain', 'shop', 'web1'), fine('shop web1: drained\n'));
  assert.deepEqual(await run('undrain', 'shop', 'web1'), fine('shop web1: no longer drained\n'));
  assert.deepEqual(await run('pause'), fine('paused: nothing is written to the kernel\n'));
  assert.deepEqual(await run('pause', 'off'), fine('not paused\n'));
  assert.deepEqual(await run('resume'), fine('not paused\n'));
  assert.deepEqual(await run('plan'), fine('no difference\n'));
  const status = await run('status', 'shop', '--json');
  assert.deepEqual(
    { ...status, out: JSON.parse(status.out) as unknown },
    { code: 0, out: JSON.parse(JSON.stringify(STATUS)), err: '' },
  );
  assert.match((await run('status')).out, /^lvsd 9\.9\.9, pid 4711/);
  assert.deepEqual(daemon.calls.slice(0, 7), [
    ['reload', {}],
    ['drain', { server: 'web1' }],
    ['drain', { service: 'shop', server: 'web1' }],
    ['undrain', { service: 'shop', server: 'web1' }],
    ['pause', { on: true }],
    ['pause', { on: false }],
    ['pause', { on: false }],
  ]);
  assert.deepEqual(daemon.calls.at(-2), ['status', { service: 'shop' }]);
});

test('a change that a paused daemon has only noted is an error', async () => {
  const noted = { servers: ['shop web1'], paused: true };
  using daemon = fakeDaemon({
    drain: () => noted,
    undrain: () => noted,
    reload: () => ({ operations: 0, failed: [], paused: true }),
  });
  for (const args of [['drain', 'web1'], ['undrain', 'web1'], ['reload']]) {
    const { code, err } = await lvsctl(daemon.path, ...args);
    assert.equal(code, EXIT.RUNTIME);
    assert.match(err, /accepted, but lvsd is paused: nothing is written to the kernel until lvsctl resume\n$/);
  }
});

test('ending an override that there is not says so', async () => {
  const ended = { servers: ['shop web1', 'mail web1'], unchanged: ['mail web1'], paused: false };
  using daemon = fakeDaemon({ undrain: () => ended, enable: () => ended, weight: () => ended });
  const out = async (...words: string[]) => (await lvsctl(daemon.path, ...words)).out;
  assert.equal(await out('undrain', 'web1'), 'shop web1: no longer drained\nmail web1: was not drained\n');
  assert.equal(
    await out('enable', 'web1'),
    'shop web1: its checks decide\nmail web1: was neither disabled nor forced up\n',
  );
  assert.equal(
    await out('weight', 'web1', 'reset'),
    'shop web1: weight of the file again\nmail web1: had the weight of the file\n',
  );
});

test('the last line of status counts services of the file', () => {
  const [shop, mail] = SHOP.services;
  assert.ok(shop && mail);
  const services = [shop, { ...shop, virtuals: ['udp 10.99.0.10:443'] }, mail];
  assert.match(statusText({ ...SHOP, services }, PLAIN, NOW), /^2 services \(3 in the kernel\), 8 real servers: /m);
});

test('an override that is in effect but not saved is an error', async () => {
  const noted = { servers: ['shop web1'], paused: false, unsaved: 'ENOSPC: no space left on device, write' };
  using daemon = fakeDaemon({ drain: () => noted, weight: () => noted });
  for (const [args, state] of [
    [['drain', 'web1'], 'drained'],
    [['weight', 'web1', '3'], 'weight of the file again'],
  ] as const) {
    const { code, out, err } = await lvsctl(daemon.path, ...args);
    assert.equal(code, EXIT.RUNTIME);
    assert.match(out, new RegExp(`^shop web1: ${state}`));
    assert.equal(
      err,
      'lvsctl: in effect, but not saved, so that a reboot would end it; lvsd tries again: ENOSPC: no space left on device, write\n',
    );
  }
});

test('exit codes and texts of failures', async () => {
  const lines = [
    { sign: '+' as const, service: 'shop', text: 'shop: tcp 10.99.0.10:443\n\x1b[2J' },
    { sign: '-' as const, service: undefined, text: 'tcp 10.99.0.11:80' },
  ];
  using daemon = fakeDaemon({
    plan: () => ({ file: 'f', lines }),
    reload: () => ({ operations: 5, failed: ['shop: no such device'], paused: false }),
    drain: () => {
      throw new UsageError('no real server web9');
    },
    undrain: () => {
      throw new LvsdError('ERR', 'lvsd.yaml:1:1: a\nlvsd.yaml:2:2: b\x1b[2J', EXIT.KERNEL_LACKS);
    },
  });
  const run = (...words: string[]) => lvsctl(daemon.path, ...words);
  assert.deepEqual(await run('plan'), {
    code: 3,
    out: '+ shop: tcp 10.99.0.10:443\\n\\x1b[2J\n- tcp 10.99.0.11:80\n1 to add, 0 to change, 1 to remove\n',
    err: '',
  });
  const json = await run('--json', 'plan');
  assert.equal(json.code, 3);
  assert.ok(!json.out.includes('\x1b'));
  assert.deepEqual(JSON.parse(json.out), JSON.parse(JSON.stringify({ file: 'f', lines })));
  assert.deepEqual(await run('reload'), {
    code: 1,
    out: 'reloaded: 5 operations, 1 failed\n',
    err: 'lvsctl: shop: no such device\n',
  });
  assert.deepEqual(await run('drain', 'web9'), { code: 2, out: '', err: 'lvsctl: no real server web9\n' });
  assert.deepEqual(await run('undrain', 'x'), {
    code: 5,
    out: '',
    err: 'lvsctl: lvsd.yaml:1:1: a\nlvsd.yaml:2:2: b\\x1b[2J\n',
  });
  const unused = freshPath();
  assert.deepEqual(await lvsctl(unused, 'status'), {
    code: 1,
    out: '',
    err: `lvsctl: no daemon answers on ${unused}: is lvsd running? (systemctl status lvsd)\n`,
  });
  assert.deepEqual(await run('stauts'), {
    code: 2,
    out: '',
    err: `lvsctl: unknown command: stauts; commands: ${Object.keys(VERBS).join(', ')}, help (see lvsctl --help)\n`,
  });
});

test('events: kept ones, then new ones until the daemon ends; gaps are shown', async () => {
  const daemon = fakeDaemon();
  for (let i = 0; i < 12_000; i++)
    daemon.events.add('service.refused', 'error', i % 2 ? `shop: event ${i}` : `event ${i}`, { service: 'shop' });
  const kept = await lvsctl(daemon.path, 'events', '--after', '1');
  assert.match(
    kept.out,
    /^… the events 2 to 7000 are not available\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}7001 {2}service\.refused {8}shop: event 7000\n/,
  );
  assert.equal(kept.out.trimEnd().split('\n').length, 5001);
  const foreign = await lvsctl(daemon.path, 'events', '--after', '1f00ba5e:7');
  assert.match(foreign.out, /^… the events after 1f00ba5e:7 are no longer available: all that are stored follow\n/);
  assert.equal((await lvsctl(daemon.path, 'events')).out.trimEnd().split('\n').length, 1000);
  const following = lvsctl(daemon.path, 'events', '-f', '--json', '-a', '11999');
  while (!daemon.log.lines.some((line) => line.includes('control client connected')) || daemon.log.lines.length < 4)
    await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 100));
  daemon.events.add('table.drift', 'warning', 'someone ran ipvsadm\x1b');
  await new Promise((resolve) => setTimeout(resolve, 100));
  daemon.server.close();
  const { code, out, err } = await following;
  assert.deepEqual(
    [code, err],
    [1, 'lvsctl: lvsd closed the connection: it may have stopped (systemctl status lvsd)\n'],
  );
  const events = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { sequence: number; text: string });
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    [12000, 12001],
  );
  assert.equal(events[1]?.text, 'someone ran ipvsadm\x1b');
});

test('a reader that closes the pipe early is not an error', async () => {
  using daemon = fakeDaemon({
    plan: () => ({
      file: '',
      lines: Array.from({ length: 1e5 }, () => ({ sign: '+' as const, service: undefined, text: 'x'.repeat(50) })),
    }),
  });
  const child = spawn('sh', ['-c', `node ${program} -s ${daemon.path} plan | head -1`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  child.stdout.resume();
  await once(child, 'close');
  assert.equal(err, '');
});

test('command lines: accepted ones, and errors of wrong ones', () => {
  assert.deepEqual(parseInvocation(['--json', 'status']), {
    command: { name: 'status', verb: VERBS.status, params: {}, options: {} },
    socket: '/run/lvsd/control.sock',
    json: true,
  });
  assert.deepEqual(parseInvocation(['events', '-f', '-a', '7', '-s', '/x']), {
    command: {
      name: 'events',
      verb: VERBS.events,
      params: { follow: true, after: '7' },
      options: { follow: true, after: '7' },
    },
    socket: '/x',
    json: false,
  });
  assert.deepEqual(parseInvocation(['-h', 'nonsense']).command, { name: 'help' });
  const wrong: [words: string[], message: RegExp][] = [
    [[], /^missing command/],
    [['status', 'a', 'b'], /^status: unexpected argument b/],
    [['plan', 'x'], /^plan: unexpected argument x/],
    [['drain'], /^drain: missing SERVER/],
    [['drain', 'a', 'b', 'c'], /^drain: unexpected argument c/],
    [['pause', 'maybe'], /^pause takes on or off, not maybe/],
    [['status', '--follow'], /^status does not take --follow/],
    [['status', '--state', 'dead'], /^--state takes up, down, unchecked, draining, not dead/],
    [['plan', '--watch'], /^plan does not take --watch/],
    [['history'], /^history: missing SERVER/],
    [['metrics', '--detail', 'all'], /^--detail takes summary, services, real_servers, full, not all/],
    [['metrics', '--collect', 'foo'], /^--collect takes process, service, .*, not foo/],
    [['metrics', '--max-series', '0'], /^--max-series takes a number from 1 to 10000000, not 0/],
    [['events', '--after', 'x'], /^after takes the number of an event or a cursor such as 1f00ba5e:42, not x/],
    [['--bogus'], /^unknown option '--bogus' \(see/],
    [['-s'], /^option '-s, --socket <value>' argument missing \(see/],
  ];
  for (const [words, message] of wrong)
    assert.throws(() => parseInvocation(words), { exitCode: 2, message }, words.join(' '));
});

test('help names every command, and fits a terminal', async () => {
  const { code, out } = await lvsctl('/none', '--help');
  assert.equal(code, 0);
  for (const command of Object.keys(VERBS)) assert.match(out, new RegExp(`^  ${command}`, 'm'));
  for (const line of out.split('\n')) assert.ok(line.length <= 120, line);
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  assert.deepEqual(await lvsctl('/none', '-V'), { code: 0, out: `lvsctl ${version}\n`, err: '' });
});

test("the bundle has none of the daemon's packages", () => {
  const daemon = readFileSync(program.replace(/lvsctl\.cjs$/, 'lvsd.cjs'), 'utf8');
  const client = readFileSync(program, 'utf8');
  for (const name of ['winston', 'YAMLException']) {
    assert.ok(daemon.includes(name), `${name} can be recognised`);
    assert.ok(!client.includes(name), name);
  }
});

test('overrides: requests and output', async () => {
  delete process.env.SUDO_USER;
  const asked: unknown[] = [];
  const answer = (name: string) => (params: object) => {
    asked.push([name, params]);
    const { weight, dryRun } = params as { weight?: number; dryRun?: boolean };
    const plan = [{ sign: '-', text: 'tcp 10.99.0.10:443 real server 10.31.4.2:8443' } as const];
    const notes = ['shop has no quorum'];
    return { servers: ['shop web1'], paused: false, notes, weight, ...(dryRun ? { plan } : {}) };
  };
  const names = ['drain', 'disable', 'forceUp', 'enable', 'weight'] as const;
  using daemon = fakeDaemon(Object.fromEntries(names.map((name) => [name, answer(name)])));
  const ctl = (...words: string[]) => lvsctl(daemon.path, ...words);
  const expected = (out: string) => ({ code: 0, out, err: 'lvsctl: shop has no quorum\n' });
  assert.deepEqual(await ctl('disable', 'web1', '--reason', 'CHG-1'), expected('shop web1: disabled\n'));
  assert.deepEqual(await ctl('force-up', 'shop', 'web1'), expected('shop web1: forced up\n'));
  assert.deepEqual(await ctl('enable', 'shop', 'web1'), expected('shop web1: its checks decide\n'));
  assert.deepEqual(await ctl('weight', 'shop', 'web1', '5', '-r', 'x'), expected('shop web1: weight 5\n'));
  assert.deepEqual(await ctl('weight', 'web1', 'reset'), expected('shop web1: weight of the file again\n'));
  const dry = await ctl('drain', 'web1', '--dry-run');
  assert.deepEqual(
    dry,
    expected(
      'shop web1: dry run, nothing is changed\n- tcp 10.99.0.10:443 real server 10.31.4.2:8443\n0 to add, 0 to change, 1 to remove\n',
    ),
  );
  process.env.SUDO_USER = 'alice';
  await ctl('drain', 'web1');
  delete process.env.SUDO_USER;
  assert.deepEqual(asked, [
    ['disable', { server: 'web1', reason: 'CHG-1' }],
    ['forceUp', { service: 'shop', server: 'web1' }],
    ['enable', { service: 'shop', server: 'web1' }],
    ['weight', { service: 'shop', server: 'web1', reason: 'x', weight: 5 }],
    ['weight', { server: 'web1' }],
    ['drain', { server: 'web1', dryRun: true }],
    ['drain', { server: 'web1', by: 'alice' }],
  ]);
  assert.match((await ctl('weight', 'web1', 'five')).err, /weight takes a number or reset, not five/);
  assert.match((await ctl('status', '--reason', 'x')).err, /status does not take --reason/);
});

test('status shows since when and why a server cannot be checked, and counts such servers', () => {
  const [first] = SHOP.services;
  const inability = { since: NOW - 3 * HOUR, reason: 'user nosuchuser does not exist' };
  const services = first ? [{ ...first, realServers: [{ ...SERVER, reason: 'exit status 0', inability }] }] : [];
  const text = statusText({ ...SHOP, services }, PLAIN, NOW);
  assert.match(text, / up .* cannot be checked for 3h: user nosuchuser does not exist$/m);
  assert.doesNotMatch(text, /exit status 0/);
  assert.match(text, /1 real server: 1 up; 1 cannot be checked$/m);
});

test('status says in its head since when checks have stopped, and how old the latest result is', () => {
  const stopped = { since: NOW - 123_000, reason: 'the health worker ended (SIGKILL: \x1b[2J)', restarts: 6 };
  const checks = { stopped, lastResultAt: NOW - 200_000 };
  for (const text of [statusText, briefText])
    assert.equal(
      text({ ...SHOP, checks }, PLAIN, NOW)
        .split('\n')[2]
        ?.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, 'TIME'),
      'health checks have stopped 2m 3s ago, TIME: the health worker ended (SIGKILL: \\x1b[2J); restarted 6 times since then; the latest result is 3m 20s old; states below are kept',
    );
  assert.doesNotMatch(statusText({ ...SHOP, checks: { lastResultAt: NOW } }, PLAIN, NOW), /health checks/);
});

test('status says in its head which file of overrides was not saved or not used', () => {
  const path = '/var/lib/lvsd/overrides.json';
  const files = [
    { file: path, problem: 'ignored', since: NOW, reason: 'its group or others may write to it', keptAs: '/x' },
    { file: path, problem: 'not saved', since: NOW - 61_000, reason: 'ENOSPC: no space left on device, write' },
  ] as const;
  assert.deepEqual(
    statusText({ ...SHOP, files }, PLAIN, NOW)
      .split('\n')
      .slice(2, 4),
    [
      `${path} was ignored at the start, overrides in it may not be in effect: its group or others may write to it; kept as /x`,
      `overrides are not saved for 1m 1s, a reboot would end them: ${path}: ENOSPC: no space left on device, write`,
    ],
  );
});

test('status shows the author, age and reason of overrides, and overrides without a real server', () => {
  const overrides = [
    { kind: 'drain', by: 'alice', at: NOW - 300_000, reason: 'CHG-123' },
    { kind: 'weight', weight: 7 },
  ] as const;
  const server = { ...SERVER, override: 'drain', overrides: [...overrides] } as const;
  const [first] = SHOP.services;
  const services = first ? [{ ...first, realServers: [server] }] : [];
  const orphans = [{ service: 'old', server: '10.31.4.9:80', kind: 'disable', by: 'bob\x1b[2J' } as const];
  const text = statusText({ ...SHOP, services, orphans }, PLAIN, NOW);
  assert.match(text, / drained by the operator \(alice, 5m ago: CHG-123\); weight set by the operator: 7$/m);
  assert.match(text, /^not in the file: old 10\.31\.4\.9:80: disabled by the operator \(bob\\x1b\[2J\)$/m);
});

test('status has a line for each virtual router in its head', () => {
  const vrrp = [
    { name: 'edge', state: 'master', since: NOW - 5000, reason: 'no advert for 361 ms' },
    { name: 'inside', state: 'fault', since: NOW - 60_000, reason: 'eth1: no carrier' },
    { name: 'dmz', state: 'init', since: undefined, reason: '' },
  ] as const;
  for (const text of [statusText, briefText])
    assert.match(
      text({ ...STATUS, vrrp }, PLAIN, NOW),
      new RegExp(
        [
          '^virtual router edge {2}master for 5s \\(no advert for 361 ms\\)',
          'virtual router inside {2}fault for 1m \\(eth1: no carrier\\)',
          'virtual router dmz {2}init$',
        ].join('\n'),
        'm',
      ),
    );
});

test('vrrp as text: weights that count, what is tracked, and each cause of a fault', () => {
  const edge: VrrpStatus = {
    name: 'edge',
    group: 'pair',
    state: 'fault',
    since: NOW - 5000,
    reason: 'eth1 is down',
    interface: 'eth0',
    family: 'ipv4',
    version: 3,
    virtualRouterId: 51,
    priority: 60,
    configuredPriority: 100,
    interval: 100,
    unicast: false,
    addresses: [{ address: '10.99.0.10', prefix: 24, device: 'eth0' }],
    faults: ['eth1 is down', 'no source address'],
    tracked: [
      { kind: 'interface', name: 'eth1', up: false },
      { kind: 'service', name: 'shop', up: false, weight: -50 },
      { kind: 'service', name: 'dns', up: true, weight: 10 },
      { kind: 'service', name: 'mail', up: true, weight: -20 },
    ],
    counters: { sent: 5, 'rejected: checksum': 2 },
    lastRejected: { reason: 'checksum', text: 'wrong checksum', source: '10.99.0.3', at: NOW - 60_000 },
  };
  assert.equal(
    vrrpText([edge], PLAIN, NOW),
    `edge  fault for 5s (eth1 is down)
  priority 60 (100, service shop -50, service dns +10), eth0 virtual router 51, version 3, ipv4, multicast, group pair, adverts every 100ms
  addresses 10.99.0.10/24 eth0
  tracks interface eth1 down, service shop down, service dns up, service mail up
  faults eth1 is down, no source address
  adverts sent 5, rejected: checksum 2
  last rejected 1m ago from 10.99.0.3: checksum: wrong checksum
`,
  );
});

test('no control character in a text of a daemon reaches the terminal, whatever the field', async () => {
  const evil = '1\n\x1b[2J\x07\x9b2J\u202e';
  const router: VrrpStatus = {
    ...{ name: 'edge', group: evil, state: 'master', since: NOW, reason: evil, interface: evil },
    ...{ family: evil as 'ipv4', version: 3, virtualRouterId: 7, priority: 1, configuredPriority: 1, interval: 100 },
    unicast: false,
    addresses: [{ address: evil, prefix: 24, device: evil }],
    faults: [],
    tracked: [{ kind: evil as 'service', name: evil, up: true, weight: 10 }],
    counters: { sent: 1, [evil]: 2 },
    lastRejected: undefined,
  };
  const sync: SyncStatus = { device: evil, id: 7, follow: evil, wanted: ['master'], running: [] };
  const server = { ...SERVER, name: evil, address: evil, reason: evil };
  const services = SHOP.services.map((one) => ({ ...one, scheduler: evil, error: evil, realServers: [server] }));
  using daemon = fakeDaemon({
    vrrp: () => ({ instances: [router] }),
    status: () => ({ ...SHOP, services, file: evil, connectionSync: sync, vrrp: [router] }),
    plan: () => ({ file: 'f', lines: [{ sign: '+', service: evil, text: evil }] }),
  });
  for (const [verb = '', lines] of [
    ['vrrp', 5],
    ['status', 16],
    ['plan', 2],
  ] as const) {
    const { command } = parseInvocation([verb]);
    assert.ok('verb' in command);
    let out = '';
    const write = (text: string) => {
      out += text;
    };
    const client = await ControlClient.open(daemon.path);
    await execute(client, command, false, { out: write, err: write, paint: PLAIN });
    client.close();
    assert.match(out, /1\\n\\x1b\[2J\\x07\\x9b2J\\u202e/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those that must not be there
    assert.doesNotMatch(out, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/, verb);
    assert.equal(out.trimEnd().split('\n').length, lines, out);
  }
});
