// SPDX-License-Identifier: MIT
// The log of events and its readers, with a store in a folder of its own.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { EventLog } from '../../../src/control/events/log.ts';
import { type EventsParams, readQuery } from '../../../src/control/events/query.ts';
import { type EventItem, isGap } from '../../../src/control/events/types.ts';
import { FileEventStore } from '../../../src/daemon/state/event-store.ts';

let folder: string;
let problems: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lvsd-events-'));
  problems = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (keep?: number) =>
  new FileEventStore(folder, { ...(keep !== undefined && { keep }), onProblem: (text) => problems.push(text) });

function started(keep?: number, kept = 10): EventLog {
  const log = new EventLog(kept);
  log.attach(open(keep));
  return log;
}

const add = (log: EventLog, count: number, fields = {}) => {
  for (let i = 0; i < count; i++) log.add('daemon.ready', 'info', `event ${i}`, fields);
  log.flush();
};

async function read(log: EventLog, params: EventsParams = {}): Promise<EventItem[]> {
  const items: EventItem[] = [];
  for await (const batch of log.read(readQuery(params))) items.push(...batch.items);
  return items;
}

/** '1-3, gap 4-9, 10': runs of sequence numbers, and gaps. */
function spans(items: readonly EventItem[]): string {
  const parts: string[] = [];
  let [from, to] = [0, -1];
  const end = () => {
    if (to >= from) parts.push(from === to ? `${from}` : `${from}-${to}`);
  };
  for (const item of items) {
    if (!isGap(item) && item.sequence === to + 1) {
      to++;
      continue;
    }
    end();
    if (!isGap(item)) [from, to] = [item.sequence, item.sequence];
    else {
      parts.push('cursor' in item.gap ? `gap ${item.gap.cursor}` : `gap ${item.gap.from}-${item.gap.to}`);
      [from, to] = [0, -1];
    }
  }
  end();
  return parts.join(', ');
}

test('without a store the last events are kept, in order, and older ones are a gap', async () => {
  const log = new EventLog(10);
  for (let i = 1; i <= 45; i++) add(log, 1);
  assert.equal(spans(log.since()), '31-45');
  assert.equal(spans(await read(log, { after: '43' })), '44-45');
  assert.equal(spans(await read(log, { after: '2' })), 'gap 3-30, 31-45');
  assert.equal(spans(await read(log)), '31-45');
  assert.equal(spans(await read(log, { limit: 3 })), '43-45');
});

test('older events come from the store, and numbers go on after a restart', async () => {
  const first = started();
  add(first, 100);
  assert.equal(spans(await read(first, { after: '0' })), '1-100');
  const { cursor } = first;
  first.close();
  const second = started();
  add(second, 5);
  assert.equal(spans(await read(second, { after: cursor })), '101-105');
  assert.equal(spans(await read(second, { after: '3' })), '4-105');
  assert.equal(spans(await read(second, { limit: 50 })), '56-105');
  second.close();
  assert.deepEqual(problems, []);
});

test('the older segment is replaced, which is a gap', async () => {
  const log = started(20_000);
  add(log, 300);
  const size = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  assert.ok(size < 40_000, `${size}`);
  // One flush wrote all of them: the segment is rotated after it. Then one at a time.
  for (let i = 0; i < 300; i++) add(log, 1);
  const found = spans(await read(log, { after: '5' }));
  assert.match(found, /^gap 6-\d+, \d+-600$/);
  log.close();
});

test('a cursor of other events is answered with a gap and all that is stored', async () => {
  const log = started();
  add(log, 20);
  assert.equal(spans(await read(log, { after: '1f00ba5e:7' })), 'gap 1f00ba5e:7, 1-20');
  const [epoch] = log.cursor.split(':');
  assert.equal(spans(await read(log, { after: `${epoch}:7` })), '8-20');
  // A number that does not exist yet.
  assert.equal(spans(await read(log, { after: '99' })), `gap ${epoch}:99, 1-20`);
  log.close();
});

/** Copies of the files as they are on disk, and their return: what a crash of the machine leaves. */
function disk(): () => void {
  const files = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))] as const);
  return () => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  };
}

test('after a crash, numbers of events that were sent and lost are not used again', async () => {
  const first = started();
  add(first, 10);
  first.close();
  // Begins after a clean shutdown; the machine loses all that is not synced.
  const second = started();
  const crash = disk();
  add(second, 5);
  const { cursor } = second;
  crash();
  const third = started();
  add(third, 1);
  assert.equal(cursor.split(':')[0], third.cursor.split(':')[0]);
  assert.equal(spans(await read(third, { after: cursor })), 'gap 16-10010, 10011');
  third.close();
  const fourth = started();
  add(fourth, 1);
  assert.equal(spans(await read(fourth, { after: '10010' })), '10011-10012');
  fourth.close();
});

test('the end of a segment is lost with a crash', async () => {
  const first = started();
  add(first, 10);
  truncateSync(join(folder, 'current.ndjson'), statSync(join(folder, 'current.ndjson')).size - 20);
  const second = started();
  add(second, 1);
  assert.equal(spans(await read(second, { after: '0' })), '1-9, gap 10-10000, 10001');
  second.close();
});

test('if nothing can be reserved, a new epoch begins', () => {
  const first = started();
  add(first, 3);
  first.close();
  const [epoch] = first.cursor.split(':');
  rmSync(join(folder, 'current.ndjson'));
  mkdirSync(join(folder, 'current.ndjson'));
  const second = started();
  add(second, 3);
  assert.notEqual(second.cursor.split(':')[0], epoch);
  assert.equal(problems.length, 1);
  second.close();
});

test('a file that is a link or a pipe is not used', () => {
  const other = join(folder, 'other');
  writeFileSync(other, 'keep');
  symlinkSync(other, join(folder, 'current.ndjson'));
  const log = started();
  add(log, 3);
  log.close();
  assert.equal(readFileSync(other, 'utf8'), 'keep');
  assert.match(problems[0] ?? '', /ELOOP/);
});

test('what leaves memory or changes its segment while a slow reader is at it is not a gap', async () => {
  for (const keep of [undefined, 200_000]) {
    rmSync(folder, { recursive: true });
    const log = started(keep);
    for (let i = 0; i < 20; i++) add(log, 50);
    const items: EventItem[] = [];
    let batches = 0;
    for await (const { items: some } of log.read(readQuery({ after: '0' }))) {
      items.push(...some);
      // Memory turns over, and in the second case a segment is full.
      if (++batches <= 2) for (let i = 0; i < 20; i++) add(log, 20);
    }
    assert.equal(spans(items), '1-1800', `${keep}`);
    log.close();
  }
});

test('texts are bounded', async () => {
  const log = started();
  log.add('config.rejected', 'error', 'x'.repeat(1_000_000), { reason: 'y'.repeat(1_000_000) });
  const [event] = await read(log);
  assert.ok(event && !isGap(event) && event.text.length <= 2000 && (event.reason ?? '').length <= 2000);
  log.close();
});

test('lines of other programs in a segment are ignored; without any event a new epoch begins', async () => {
  const first = started();
  add(first, 3);
  const [epoch] = first.cursor.split(':');
  first.close();
  appendFileSync(join(folder, 'current.ndjson'), 'x\n{"sequence":"7"}\nnull\n[]\n\n');
  const second = started();
  assert.equal(second.cursor.split(':')[0], epoch);
  add(second, 1);
  assert.equal(spans(await read(second, { after: '0' })), '1-4');
  second.close();
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), 'not events\n');
  const third = started();
  assert.notEqual(third.cursor.split(':')[0], epoch);
  add(third, 1);
  assert.equal(spans(await read(third, { after: '0' })), '1');
  third.close();
});

test('events that were added before the store was opened get its numbers', async () => {
  const first = started();
  add(first, 7);
  first.close();
  const second = new EventLog();
  second.add('file.ignored', 'warning', 'early');
  second.attach(open());
  second.add('daemon.ready', 'info', 'late');
  const items = await read(second, { after: '7' });
  assert.deepEqual(
    items.map((item) => (isGap(item) ? 'gap' : [item.sequence, item.text, item.epoch === second.cursor.split(':')[0]])),
    [
      [8, 'early', true],
      [9, 'late', true],
    ],
  );
  second.close();
});

test('selected by service, server, kind and time', async () => {
  const log = started();
  const shop = { service: 'shop', server: 'web1', address: '10.31.4.2:80' };
  log.add('real_server.down', 'warning', 'a', shop);
  log.add('real_server.up', 'info', 'b', shop);
  log.add('real_server.up', 'info', 'c', { service: 'pay', server: 'web1' });
  log.add('service.quorum_lost', 'warning', 'd', { service: 'shop' });
  // The first ones are no longer in memory.
  add(log, 100);
  const texts = async (params: EventsParams) =>
    (await read(log, params)).map((item) => (isGap(item) ? 'gap' : item.text)).join('');
  assert.equal(await texts({ service: 'shop' }), 'abd');
  assert.equal(await texts({ server: 'web1' }), 'abc');
  assert.equal(await texts({ server: '10.31.4.2:80', kinds: 'real_server.up' }), 'b');
  assert.equal(await texts({ kinds: 'real_server,service.quorum_lost' }), 'abcd');
  assert.equal(await texts({ kinds: 'real_server', limit: 2 }), 'bc');
  assert.equal(await texts({ kinds: 'real_server', since: Date.now() + 60_000 }), '');
  assert.equal(await texts({ kinds: 'real_server', since: Date.now() - 60_000, after: '1' }), 'bc');
  log.close();
});

test('what a filter may be', () => {
  const wrong: [EventsParams, RegExp][] = [
    [{ after: 'x' }, /after takes the number of an event or a cursor such as 1f00ba5e:42, not x/],
    [{ after: '1F:3' }, /after takes/],
    [{ kinds: 'real' }, /there are no events of kind real: docs\/events\.md has the list/],
    [{ kinds: '' }, /no events of kind/],
    [{ kinds: 'vrrp,'.repeat(60) }, /kinds takes at most 50 kinds/],
    [{ limit: 0 }, /limit takes a number from 1 to 1000000, not 0/],
  ];
  for (const [params, message] of wrong) assert.throws(() => readQuery(params), { message });
});

test('a follower that sleeps gets everything later, from the store', { timeout: 60_000 }, async () => {
  const log = started();
  const abort = new AbortController();
  const items: EventItem[] = [];
  let wake = () => {};
  const asleep = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const following = (async () => {
    for await (const batch of log.follow(readQuery({ follow: true }), log.cursor, abort.signal)) {
      items.push(...batch.items);
      await asleep;
      const last = items.at(-1);
      if (last && !isGap(last) && last.sequence === 40_001) abort.abort();
    }
  })();
  add(log, 1);
  await new Promise((resolve) => setImmediate(resolve));
  add(log, 40_000);
  assert.equal(log.since().length <= 20, true);
  wake();
  await following;
  assert.equal(spans(items), '1-40001');
  log.close();
});

test('a store that cannot be written is told once, and events are kept in memory', async () => {
  writeFileSync(join(folder, 'file'), '');
  const store = new FileEventStore(join(folder, 'file', 'events'), { onProblem: (text) => problems.push(text) });
  const log = new EventLog(10);
  log.attach(store);
  for (let i = 0; i < 30; i++) add(log, 1);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^cannot store events in .*\/file\/events, they are kept in memory: ENOTDIR/);
  assert.match(spans(await read(log, { after: '0' })), /^gap 1-\d+, \d+-30$/);
  log.close();
});

test('the files are for root and its group', () => {
  const log = started();
  add(log, 1);
  log.close();
  assert.equal(statSync(join(folder, 'current.ndjson')).mode & 0o777, 0o640);
  assert.match(
    readFileSync(join(folder, 'current.ndjson'), 'utf8'),
    /"kind":"daemon.ready"[^\n]*\n\{"next":2,"epoch":"[0-9a-f]{8}"\}\n$/,
  );
});

test('a reader begins where its events are, in segments of several epochs', async () => {
  // Lines of an earlier epoch, with higher numbers, come first.
  const earlier = Array.from({ length: 3000 }, (_, index) =>
    JSON.stringify({
      sequence: 90_000 + index,
      epoch: '00000000',
      at: 0,
      kind: 'daemon.ready',
      severity: 'info',
      text: 'x'.repeat(50),
    }),
  );
  const log = started(8 << 20);
  add(log, 9000, { reason: 'y'.repeat(100) });
  const file = join(folder, 'current.ndjson');
  writeFileSync(file, `${earlier.join('\n')}\n${readFileSync(file, 'utf8')}`);
  assert.ok(statSync(file).size > 1 << 20);
  for (const after of [1, 2, 17, 4321, 8888, 8980, 8998]) {
    const items = await read(log, { after: `${after}` });
    assert.equal(spans(items), after + 1 === 9000 ? '9000' : `${after + 1}-9000`);
  }
  log.close();
});

test('within: only the last numbers are looked at, without a gap', async () => {
  const log = started();
  add(log, 300);
  add(log, 1, { service: 'shop' });
  add(log, 100);
  add(log, 1, { service: 'shop' });
  add(log, 50);
  const found = async (within?: number) =>
    spans(await read(log, { service: 'shop', limit: 5, ...(within !== undefined && { within }) }));
  assert.equal(await found(), '301, 402');
  assert.equal(await found(152), '301, 402');
  assert.equal(await found(151), '402');
  assert.equal(await found(50), '');
  assert.equal(spans(await read(log, { limit: 1000, within: 3 })), '450-452');
  // With a cursor everything after it is told.
  assert.equal(spans(await read(log, { after: '300', service: 'shop', within: 1 })), '301, 402');
  assert.throws(() => readQuery({ within: 0 }), /within takes/);
});
