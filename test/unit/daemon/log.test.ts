// SPDX-License-Identifier: MIT
// The daemon's log: formats, limits, and slow or broken readers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { mock, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogSettings } from '../../../src/config/types.ts';
import { isJournal } from '../../../src/daemon/log/journal.ts';
import { DaemonLog } from '../../../src/daemon/log/log.ts';
import { RateLimit } from '../../../src/daemon/log/rate-limit.ts';
import { LineSink } from '../../../src/daemon/log/sink.ts';

const TEXT: LogSettings = { level: 'info', format: 'text', levels: {} };
const JSON_FORMAT: LogSettings = { ...TEXT, format: 'json' };

/** The lines that a log writes. */
async function written(settings: LogSettings, journal: boolean, use: (log: DaemonLog) => void): Promise<string[]> {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, next) {
      text += String(chunk);
      next();
    },
  });
  const log = new DaemonLog(settings, { stream, journal });
  use(log);
  await log.flush();
  assert.ok(text === '' || text.endsWith('\n'));
  return text.split('\n').slice(0, -1);
}

test('a text line: time, level, area, text; in the journal its priority instead', async () => {
  const use = (log: DaemonLog) => {
    log.area('health').info('web1 is up', { target: 'web1' });
    log.area('kernel').error('no');
    log.area('config').warn('hm');
  };
  const lines = await written(TEXT, false, use);
  assert.deepEqual(
    lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/, 'T')),
    ['T info  health: web1 is up', 'T error kernel: no', 'T warn  config: hm'],
  );
  assert.deepEqual(await written(TEXT, true, use), ['<6>health: web1 is up', '<3>kernel: no', '<4>config: hm']);
});

test('a JSON line has the fields, which do not replace its own keys', async () => {
  const use = (log: DaemonLog) =>
    log.area('control').info('drain', { uid: 0, ok: true, level: 'x', text: 'y', time: 'z', no: undefined });
  const [line = ''] = await written(JSON_FORMAT, false, use);
  const { time, ...rest } = JSON.parse(line) as Record<string, unknown>;
  assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 10_000);
  assert.deepEqual(rest, { level: 'info', area: 'control', text: 'drain', uid: 0, ok: true });
  assert.match((await written(JSON_FORMAT, true, use))[0] ?? '', /^<6>\{"time"/);
});

test('control characters in text from outside are escaped, and long text is cut', async () => {
  const hostile = 'a\nb\r\t\x1b[2J\x07\x9b31m\u202eevil\u2028\u200b\ud800\0 ok é 語 😀';
  const safe = 'a\\nb\\r\\t\\x1b[2J\\x07\\x9b31m\\u202eevil\\u2028\\u200b\\ud800\\x00 ok é 語 😀';
  const use = (log: DaemonLog) => log.area('health').info(hostile, { hostile });
  assert.deepEqual(await written(TEXT, true, use), [`<6>health: ${safe}`]);
  const [line = ''] = await written(JSON_FORMAT, false, use);
  const inside = [...line].filter((each) => each < ' ' || each === '\x7f' || each === '\u202e' || each === '\x9b');
  assert.deepEqual(inside, []);
  const back = JSON.parse(line) as { text: string; hostile: string };
  assert.equal(back.text, hostile);
  assert.equal(back.hostile, hostile);
  const [long = ''] = await written(TEXT, true, (log) => log.area('health').info('x'.repeat(1e6)));
  assert.ok(long.length < 5000 && long.endsWith('…'));
});

test('levels by area, also changed for existing loggers', async () => {
  const lines = await written({ ...TEXT, levels: { health: 'debug', kernel: 'error' } }, true, (log) => {
    const [health, kernel, config] = [log.area('health'), log.area('kernel'), log.area('config')];
    for (const each of [health, kernel, config])
      for (const level of ['error', 'warn', 'info', 'debug'] as const) each[level](level);
    log.configure({ ...JSON_FORMAT, level: 'error' });
    for (const each of [health, kernel, config]) each.warn('quiet');
    log.configure({ ...TEXT, levels: { config: 'debug' } });
    config.debug('loud');
  });
  assert.deepEqual(lines, [
    '<3>health: error',
    '<4>health: warn',
    '<6>health: info',
    '<7>health: debug',
    '<3>kernel: error',
    '<3>config: error',
    '<4>config: warn',
    '<6>config: info',
    '<7>config: loud',
  ]);
});

test('repeated lines are limited and summarised; other lines, and debug, are not limited', async () => {
  const lines = await written({ ...TEXT, levels: { config: 'debug' } }, true, (log) => {
    for (let i = 0; i < 100; i++) {
      log.area('kernel').warn('again and again');
      if (i < 2) log.area('kernel').warn(`once: ${i}`);
      if (i < 5) log.area('config').debug('every one');
    }
  });
  const count = (text: string) => lines.filter((line) => line === text).length;
  assert.equal(count('<4>kernel: again and again'), 3);
  assert.equal(count('<4>kernel: again and again … and 97 more like it in 10s'), 1);
  assert.equal(count('<4>kernel: once: 1'), 1);
  assert.equal(count('<7>config: every one'), 5);
  assert.equal(lines.length, 3 + 1 + 2 + 5);
});

test('lines that all differ are limited as well', async () => {
  const lines = await written(TEXT, true, (log) => {
    for (let i = 0; i < 20_000; i++) log.area('health').warn(`target ${i}`);
    log.area('kernel').warn('heard');
  });
  assert.equal(lines.length, 5000 + 2);
  assert.ok(lines.includes('<4>kernel: heard'));
  assert.equal(lines.at(-1), '<4>health: … and 15000 more lines of health (warn) in 10s');
});

test('the summary of suppressed lines is written when the window ends, without another line', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const now = mock.method(performance, 'now', () => 0);
  try {
    const lines = await written(TEXT, true, (log) => {
      for (let i = 0; i < 10; i++) log.area('daemon').info('tick');
      now.mock.mockImplementation(() => 10_000);
      mock.timers.tick(10_000);
      log.area('daemon').info('tick');
    });
    const tick = '<6>daemon: tick';
    assert.deepEqual(lines, [tick, tick, tick, `${tick} … and 7 more like it in 10s`, tick]);
  } finally {
    now.mock.restore();
    mock.timers.reset();
  }
});

test('the limit counts a bounded number of different lines', () => {
  const limit = new RateLimit(1, 1000);
  for (let i = 0; i < 1e5; i++) assert.equal(limit.admit(`key ${i}`, 0), true);
  assert.equal(limit.admit('key 0', 1), false);
  assert.equal(limit.admit('key 99999', 1), true, 'not counted, so not limited');
  assert.deepEqual(limit.ended(999), []);
  assert.deepEqual(limit.ended(1000), [{ key: 'key 0', held: 1 }]);
  assert.equal(limit.admit('key 0', 1000), true);
});

test('without a reader memory is bounded, dropped lines are counted, the daemon continues', async () => {
  const program = `
    import { DaemonLog } from ${JSON.stringify(new URL('../../../src/daemon/log/log.ts', import.meta.url).pathname)};
    const log = new DaemonLog({ level: 'debug', format: 'text', levels: {} });
    const before = process.memoryUsage().rss;
    let written = 0;
    const more = () => {
      for (let i = 0; i < 500; i++) log.area('health').debug('x'.repeat(200) + written++);
      if (written < 100_000) setImmediate(more);
      else console.log(JSON.stringify({ grown: process.memoryUsage().rss - before, written }));
    };
    more();
    process.stdin.once('data', async () => { log.area('daemon').info('awake'); await log.flush(); process.exit(); });`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]);
  const [report] = (await once(child.stdout, 'data')) as [Buffer];
  const { grown, written: lines } = JSON.parse(String(report)) as { grown: number; written: number };
  assert.equal(lines, 100_000);
  assert.ok(grown < 64 << 20, `${grown} bytes more, for 21 MB of lines`);
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += String(chunk);
  });
  while (!text.includes('dropped')) await sleep(10);
  child.stdin.write('x');
  await once(child, 'close');
  const got = text.trimEnd().split('\n');
  const dropped = Number(/daemon: (\d+) log lines were dropped/.exec(text)?.[1]);
  assert.equal(got.filter((line) => line.includes('health: xxx')).length + dropped, 100_000);
  assert.match(got.at(-1) ?? '', /info {2}daemon: awake/);
});

test('a closed pipe and a full disk do not end the program', async () => {
  const program = `
    import { DaemonLog } from ${JSON.stringify(new URL('../../../src/daemon/log/log.ts', import.meta.url).pathname)};
    const log = new DaemonLog({ level: 'info', format: 'text', levels: {} });
    let rounds = 0;
    const more = () => {
      log.area('daemon').info('line ' + rounds);
      if (++rounds < 50) setTimeout(more, 2);
      else log.flush().then(() => { console.log('alive'); process.exit(); });
    };
    more();`;
  const full = openSync('/dev/full', 'w');
  for (const stderr of ['pipe', full] as const) {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', stderr],
    });
    child.stderr?.destroy();
    const [output] = (await once(child.stdout ?? child, 'data')) as [unknown];
    assert.equal(String(output), 'alive\n');
    assert.deepEqual(await once(child, 'close'), [0, null]);
  }
  closeSync(full);
});

test('lines lost to failed writes are counted once a write succeeds', async () => {
  const out: string[] = [];
  let broken = true;
  const stream = new Writable({
    autoDestroy: false,
    write(chunk, _encoding, next) {
      if (!broken) out.push(String(chunk));
      next();
    },
  });
  // Like standard error: the callback gets the error, and the stream stays open.
  const write = stream.write.bind(stream) as (line: string, done: (error?: Error | null) => void) => boolean;
  const unsteady = (line: string, done: (error?: Error | null) => void) => {
    if (!broken) return write(line, done);
    setImmediate(done, new Error('EPIPE'));
    return true;
  };
  stream.write = unsteady as typeof stream.write;
  const sink = new LineSink(stream, (dropped) => `lost ${dropped}\n`);
  for (let i = 0; i < 3; i++) sink.write('gone\n');
  await sink.flush();
  broken = false;
  sink.write('here\n');
  await sink.flush();
  assert.deepEqual(out, ['here\n', 'lost 3\n']);
});

test('the journal is recognised by device and inode', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lvsd-log-'));
  try {
    const fd = openSync(join(folder, 'x'), 'w');
    const { dev, ino } = fstatSync(fd, { bigint: true });
    assert.equal(isJournal(`${dev}:${ino}`, fd), true);
    assert.equal(isJournal(`${dev}:${ino + 1n}`, fd), false);
    assert.equal(isJournal(undefined, fd), false);
    assert.equal(isJournal('', fd), false);
    closeSync(fd);
    assert.equal(isJournal(`${dev}:${ino}`, fd), false);
    assert.equal(readFileSync(join(folder, 'x'), 'utf8'), '');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
