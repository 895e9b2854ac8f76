// SPDX-License-Identifier: MIT
// lvsctl top: rates, frames, keys; on a terminal of script(1), which is as before however it ends.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { PLAIN } from '../../../src/control/lvsctl/terminal.ts';
import { curve, frame } from '../../../src/control/lvsctl/top/frame.ts';
import { Model, type View } from '../../../src/control/lvsctl/top/model.ts';
import { readTopOptions } from '../../../src/control/lvsctl/top/options.ts';
import { INITIAL, type Key, pressed, type Screen, shown } from '../../../src/control/lvsctl/top/screen.ts';
import { short } from '../../../src/control/lvsctl/words.ts';
import type { RealServerStatus, ServiceStatus } from '../../../src/control/messages.ts';
import { SERVICE_COLUMNS, type Stats } from '../../../src/control/metrics/stats.ts';
import { fakeDaemon, STATUS } from './daemon.ts';
import { row, STATS, server, statsHandler } from './stats.ts';

const program = new URL('../../../dist/bin/lvsctl.cjs', import.meta.url).pathname;
const NOW = 1_700_000_000_000 + 2 * 86_400_000;

const service = (name: string, more: Record<string, number>) =>
  row(SERVICE_COLUMNS, {
    ...{ service: name, virtual: `tcp 10.99.0.${name.length}:443`, realServers: 4, realServersUp: 4, quorumUp: 1 },
    ...{ sorry: 0, refused: 0, active: 4787, inactive: 1200, connections: 0, inBytes: 0, outBytes: 0, ...more },
  });

/** `at`: seconds. */
const stats = (connections: number, at: number): Stats => ({
  summary: {
    ...STATS.summary,
    table: { ...STATS.summary.table, at },
  },
  services: [
    service('shop', { connections, inBytes: 1000 * connections, outBytes: 5000 * connections, realServersUp: 3 }),
    service('pay', { realServersUp: 0, quorumUp: 0, active: 0, inactive: 0 }),
    service('auth', { refused: 1 }),
    service('dns', { sorry: 1 }),
    service('mail', {}),
  ],
  realServers: [
    server('web1', {
      address: '10.31.4.2',
      port: 8443,
      virtual: 'tcp 10.99.0.4:443',
      connections: 0,
      inBytes: 0,
      outBytes: 0,
      active: 0,
      inactive: 3,
      weight: 0,
      configuredWeight: 2,
    }),
    server('web2', {
      address: '10.31.4.3',
      port: 8443,
      virtual: 'tcp 10.99.0.4:443',
      connections,
      inBytes: 0,
      outBytes: 0,
      active: 2400,
      inactive: 900,
      weight: 2,
      configuredWeight: 2,
    }),
  ],
  localAddresses: STATS.localAddresses,
});

const SERVER = {
  ...{ port: 8443, weight: 2, effectiveWeight: 2, override: undefined, latency: 1 },
  ...{ activeConnections: 0, inactiveConnections: 0 },
};
const OPEN: RealServerStatus[] = [
  {
    ...{ ...SERVER, name: 'web1', address: '10.31.4.2', state: 'down' },
    ...{ since: NOW - 9000, reason: 'connection refused' },
  },
  {
    ...{ ...SERVER, name: 'web2', address: '10.31.4.3', state: 'up' },
    ...{ since: NOW - 3 * 3_600_000, reason: 'status 200' },
  },
];
const OPENED: ServiceStatus = {
  ...{ name: 'mail', virtuals: ['tcp 10.99.0.4:443'], scheduler: 'wrr', sorry: false, error: undefined },
  ...{ quorum: { needed: 1, weight: 2, up: true }, realServers: OPEN },
};

function view(): View {
  const model = new Model();
  model.update(stats(0, 0), 'shop');
  model.update(stats(5000, 10), 'shop');
  return model.update(stats(10_000, 20), 'shop');
}

const draw = (screen: Partial<Screen>, rows: number, columns: number, problem?: string) =>
  frame({ view: view(), screen: { ...INITIAL, ...screen }, open: OPEN, now: NOW, problem }, rows, columns, PLAIN);

test('rates are differences of readings; the same reading twice changes nothing', () => {
  const model = new Model();
  const first = model.update(stats(100, 0), undefined);
  assert.equal(first.services[0]?.connections, Number.NaN);
  const second = model.update(stats(600, 10), undefined);
  assert.deepEqual(
    [second.services[0]?.connections, second.services[0]?.inBytes, second.services[0]?.history],
    [50, 50_000, [50]],
  );
  // Asked again, of the same reading.
  const same = model.update(stats(600, 10), undefined);
  assert.deepEqual(same.services[0], second.services[0]);
  // Deleted and added again.
  const anew = model.update(stats(7, 20), undefined);
  assert.equal(anew.services[0]?.connections, 0);
  // A daemon that started after the clock was set back: its readings are earlier.
  const back = model.update(stats(900, 15), undefined);
  assert.equal(back.services[0]?.connections, Number.NaN);
  assert.equal(model.update(stats(950, 16), undefined).services[0]?.connections, 50);
});

test('a frame has no control character of the daemon', () => {
  const evil = '1\n\x1b[2J' as never;
  const vrrp = [{ ...STATS.summary.vrrp[0], name: 'edge', state: evil }] as View['vrrp'];
  const open = OPEN.map((one) => ({ ...one, state: evil }));
  const given = { ...view(), vrrp, realServers: { ...STATS.summary.realServers, down: evil } };
  const screen = { ...INITIAL, open: 'shop', chosen: 'shop tcp 10.99.0.4:443' };
  const lines = frame({ view: given, screen, open, now: NOW }, 14, 160, PLAIN);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those that must not be there
  assert.doesNotMatch(lines.join(''), /[\x00-\x1f]/);
  assert.match(lines.join('\n'), /vrrp edge 1\\n\\x1b\[2J/);
});

test('a frame, worst first, with the real servers of the open service', () => {
  const lines = draw({ open: 'shop', chosen: 'shop tcp 10.99.0.4:443' }, 14, 160);
  assert.deepEqual(
    lines.map((line) => line.trimEnd()),
    [
      'lvsd up 2d   5 services, 4 not up   3 real servers, 1 down   500 conn/s   24Mb/s',
      'sort: state   every 2s   ? help',
      'SERVICE   ADDRESS            STATE      UP  ACTIVE  INACT  CONN/S  IN b/s  OUT b/s  LAST  WHY',
      '  auth    tcp 10.99.0.4:443  refused   4/4    4.8k   1.2k       0       0        0  ▁▁    the kernel refuses a change',
      '  pay     tcp 10.99.0.3:443  down      0/4       0      0       0       0        0  ▁▁    no real server',
      '  dns     tcp 10.99.0.3:443  sorry     4/4    4.8k   1.2k       0       0        0  ▁▁    sorry server',
      '> shop    tcp 10.99.0.4:443  degraded  3/4    4.8k   1.2k     500    4.0M      20M  ██    1 not up',
      '    web1                     down 9s   0/2       0      3       0       0        0        connection refused',
      '    web2                     up 3h       2    2.4k    900     500       0        0        status 200',
      '  mail    tcp 10.99.0.4:443  up        4/4    4.8k   1.2k       0       0        0  ▁▁',
      '',
      '',
      '',
      'inner 103/102 ports [##########]  exhausted 106   vrrp edge master',
    ],
  );
});

test('a service with two ports has the real servers of each below it', () => {
  const model = new Model();
  const both: Stats = {
    ...stats(0, 0),
    services: [80, 443]
      .map((port) => service('shop', { port }))
      .map((cells, i) => cells.map((cell, at) => (at === 1 ? `tcp 10.99.0.4:${i ? 443 : 80}` : cell))),
    realServers: [80, 443].map((port) =>
      server('web1', { virtual: `tcp 10.99.0.4:${port}`, address: '10.31.4.2', port, active: port }),
    ),
  };
  const open = [80, 443].map((port) => ({
    name: 'web1',
    address: '10.31.4.2',
    port,
    reason: `port ${port}`,
  })) as RealServerStatus[];
  const given = {
    view: model.update(both, 'shop'),
    screen: { ...INITIAL, sort: 'name', open: 'shop' } as Screen,
    open,
    now: NOW,
  };
  const lines = frame(given, 12, 160, PLAIN).map((line) => line.replace(/ +/g, ' ').trim());
  assert.deepEqual(
    lines
      .slice(3, 7)
      .map((line) => [line.includes('10.99.0.4:443'), line.includes('port 443'), line.includes('port 80')]),
    [
      [true, false, false],
      [false, true, false],
      [false, false, false],
      [false, false, true],
    ],
  );
});

test('a frame has the size of the terminal, whatever that is', () => {
  for (const [rows, columns] of [
    [24, 80],
    [50, 200],
    [10, 40],
    [5, 20],
    [1, 1],
  ] as const)
    for (const screen of [
      {},
      { open: 'shop' },
      { help: true },
      { search: 'x' },
      { chosen: 'mail tcp 10.99.0.4:443' },
    ]) {
      const lines = draw(screen, rows, columns);
      assert.equal(lines.length, rows);
      for (const line of lines) assert.ok(line.length <= columns, line);
    }
  // The chosen service stays visible.
  const many = {
    ...view(),
    services: Array.from({ length: 10_000 }, (_, i) => ({
      ...(view().services[4] as View['services'][number]),
      key: `${i}`,
      name: `s${String(i).padStart(5, '0')}`,
    })),
  };
  const lines = frame(
    { view: many, screen: { ...INITIAL, sort: 'name', chosen: '5000' }, open: [], now: NOW },
    24,
    80,
    PLAIN,
  );
  assert.ok(
    lines.some((line) => line.startsWith('> s05000')),
    lines.join('\n'),
  );
});

test('names of the file and reasons cannot write to the terminal', () => {
  const evil = { ...view(), services: [{ ...(view().services[0] as View['services'][number]), name: 'x\x1b[2Jy' }] };
  const given = { view: evil, screen: { ...INITIAL, open: 'x\x1b[2Jy' }, now: NOW, problem: 'lost\x07' };
  const text = frame(
    { ...given, open: [{ ...(OPEN[0] as RealServerStatus), reason: '\x1b]0;x\x07' }] },
    20,
    120,
    PLAIN,
  ).join('\n');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f]/);
});

test('keys', () => {
  const { services } = view();
  const press = (screen: Screen, ...keys: Key[]) =>
    keys.reduce<Screen>((at, key) => pressed(at, key, services, 3) ?? assert.fail('quit'), screen);
  const name = (one: string): Key => ({ name: one });
  const char = (sequence: string): Key => ({
    sequence,
    name: /[a-z]/i.test(sequence) ? sequence.toLowerCase() : undefined,
  });
  const chosen = (screen: Screen) => screen.chosen?.split(' ')[0];
  assert.equal(chosen(press(INITIAL, name('down'), char('j'))), 'dns');
  assert.equal(chosen(press(INITIAL, name('pagedown'), char('k'))), 'dns');
  assert.equal(chosen(press(INITIAL, char('G'))), 'mail');
  assert.equal(chosen(press(INITIAL, char('G'), char('g'))), 'auth');
  assert.equal(chosen(press(INITIAL, name('up'))), 'auth');
  assert.equal(press(INITIAL, name('return')).open, 'auth');
  assert.equal(press(INITIAL, name('return'), name('return')).open, undefined);
  assert.equal(press(INITIAL, name('right'), name('left')).open, undefined);
  assert.equal(press(INITIAL, char('s')).sort, 'name');
  assert.equal(press(INITIAL, char('<')).sort, 'out');
  const sorted = (screen: Partial<Screen>) => shown(services, { ...INITIAL, ...screen }).map((one) => one.name);
  assert.deepEqual(sorted({ sort: 'conn/s' })[0], 'shop');
  assert.deepEqual(sorted({ sort: 'name', reverse: true })[0], 'shop');
  assert.deepEqual(sorted({ bad: true }), ['auth', 'pay', 'dns', 'shop']);
  const searching = press(INITIAL, char('/'), char('S'), char('q'), name('backspace'), char('h'));
  assert.deepEqual([searching.search, searching.typing, sorted(searching)], ['Sh', true, ['shop']]);
  assert.deepEqual(press(searching, name('return')).typing, false);
  assert.equal(press(searching, name('escape')).search, '');
  assert.equal(press(INITIAL, name('space')).paused, true);
  assert.equal(press(INITIAL, char('+')).interval, 3000);
  assert.equal(press(INITIAL, char('-'), char('-')).interval, 1000);
  assert.equal(press(INITIAL, char('?'), char('x')).help, false);
  assert.equal(pressed(INITIAL, char('q'), services, 3), undefined);
  assert.equal(pressed(searching, { name: 'c', ctrl: true }, services, 3), undefined);
});

test('numbers and curves', () => {
  const pairs: [number, string][] = [
    [0, '0'],
    [0.25, '0.3'],
    [9, '9'],
    [Number.NaN, '-'],
    [9.96, '10'],
    [9.94, '9.9'],
    [10.2, '10'],
    [999, '999'],
    [999.6, '1.0k'],
    [4787, '4.8k'],
    [31_700_000, '32M'],
    [9.96e9, '10G'],
    [1e18, '1000P'],
  ];
  for (const [value, text] of pairs) assert.equal(short(value), text);
  assert.equal(curve([]), '');
  assert.equal(curve([0, 0]), '▁▁');
  assert.equal(curve([0, 7, 14]), '▁▅█');
  assert.equal(curve(Array.from({ length: 120 }, (_, i) => i)).length, 10);
});

test('mistakes in its options', () => {
  for (const [options, message] of [
    [{ sort: 'size' }, '--sort takes state, name, active, conn/s, in, out, not size'],
    [{ interval: '100ms' }, '--interval takes a duration from 1s to 60s, not 100ms'],
    [{ batch: '0' }, '--batch takes a number from 1 to 1000000, not 0'],
  ] as const)
    assert.throws(() => readTopOptions(options), { message });
});

test('without a terminal: one frame, several, and as JSON', async () => {
  let [asked, ages]: [number, unknown[]] = [0, []];
  using daemon = fakeDaemon({
    stats: (params, ...more) => {
      ages = [...ages, params.maxAge];
      return statsHandler(stats(1000 * asked, asked++))(params, ...more);
    },
  });
  const run = async (...words: string[]) => {
    const child = spawn(process.execPath, [program, '-s', daemon.path, 'top', ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      err += String(chunk);
    });
    const [code] = (await once(child, 'close')) as [number];
    return { code, out, err };
  };
  const single = await run('--once');
  assert.deepEqual([single.code, single.err], [0, '']);
  assert.match(single.out, /^lvsd up .*\n.*\nSERVICE +ADDRESS/);
  // Of two readings, the second of which is a new one.
  assert.deepEqual(ages, [900, 900]);
  const { services } = JSON.parse((await run('--once', '--json')).out) as View;
  const rate = services.find(({ name }) => name === 'shop')?.connections ?? Number.NaN;
  assert.ok(rate > 0 && rate <= 1100, `${rate}`);
  const two = await run('--batch', '2', '--interval', '1s', '--json');
  const views = two.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as View);
  assert.deepEqual(
    views.map(({ services }) => services.length),
    [5, 5],
  );
  const none = await run();
  assert.deepEqual(
    [none.code, none.err],
    [2, 'lvsctl: top needs a terminal; --once and --batch N print frames without one\n'],
  );
});

const skip = spawnSync('script', ['--version']).status !== 0 && 'no script(1) here';

test('on a terminal: drawn, opened, and left as it was, by q and by a signal', {
  skip,
  timeout: 120_000,
}, async (t) => {
  let hanging = false;
  using daemon = fakeDaemon({
    stats: (...request) => (hanging ? new Promise(() => {}) : statsHandler(stats(5, 0))(...request)),
    status: () => ({ ...STATUS, services: [OPENED] }),
  });
  for (const end of ['q', 'SIGTERM', 'pending', 'lost'] as const) {
    hanging = false;
    const command = `stty rows 30 columns 150; stty -a > /dev/null; before=$(stty -g); ${process.execPath} ${program} -s ${daemon.path} top; code=$?; [ "$before" = "$(stty -g)" ] && echo same $code`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, NO_COLOR: '1', TERM: 'xterm' },
    });
    // Otherwise a failure leaves the program running, which keeps this process alive.
    t.after(() => child.kill());
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
    });
    const closed = once(child, 'close');
    const until = async (what: RegExp) => {
      for (const limit = Date.now() + 30_000; !what.test(out); await new Promise((resolve) => setTimeout(resolve, 20)))
        assert.ok(Date.now() < limit, `${what}: ${JSON.stringify(out.slice(-2000))}`);
    };
    await until(/auth +tcp/);
    child.stdin.write('G');
    await until(/> mail/);
    child.stdin.write('\r');
    await until(/web1 .*connection refused/);
    if (end === 'q') child.stdin.write('q');
    else if (end === 'pending') {
      hanging = true;
      // The next reading does not end; nor does one that Enter asks for.
      await new Promise((resolve) => setTimeout(resolve, 2500));
      child.stdin.write('\r');
      child.stdin.write('q');
    } else if (end === 'SIGTERM') {
      const [pid] = spawnSync('pgrep', ['-f', `${daemon.path} top$`], { encoding: 'utf8' })
        .stdout.trim()
        .split('\n')
        .slice(-1);
      process.kill(Number(pid), 'SIGTERM');
    } else {
      daemon.server.close();
      await until(/no daemon answers|closed the connection/);
      child.stdin.write('q');
    }
    await until(/same 0/);
    await closed;
    // Nothing is drawn on the screen that was there before.
    assert.doesNotMatch(out.slice(out.lastIndexOf('\x1b[?1049l')), /SERVICE/);
    assert.ok(out.includes('\x1b[?1049h') && out.lastIndexOf('\x1b[?1049l') > out.lastIndexOf('\x1b[?1049h'), end);
  }
});
