// SPDX-License-Identifier: MIT
// A process that adds events and tells their numbers is killed at random moments: over all runs no number means two
// events, and each one that was told is stored, or is a gap.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { build } from 'esbuild';
import { EventLog } from '../../../src/control/events/log.ts';
import { readQuery } from '../../../src/control/events/query.ts';
import { isGap } from '../../../src/control/events/types.ts';
import { FileEventStore } from '../../../src/daemon/state/event-store.ts';
import { Random, seed } from '../../support/random.ts';

const KILLS = process.env.LVSD_COUNTS === 'full' ? 1000 : 200;
const folder = mkdtempSync(join(tmpdir(), 'lvsd-killed-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const events = join(folder, 'events');

/** Adds events in bursts, follows them, and prints the number and text of each one that it is told. */
const WRITER = `
import { EventLog } from ${JSON.stringify(new URL('../../../src/control/events/log.ts', import.meta.url).pathname)};
import { FileEventStore } from ${JSON.stringify(new URL('../../../src/daemon/state/event-store.ts', import.meta.url).pathname)};
import { writeSync } from 'node:fs';
const log = new EventLog(100);
log.attach(new FileEventStore(process.argv[2], { keep: 4 << 20, onProblem: (text) => { throw new Error(text); } }));
let n = 0;
const burst = () => {
  for (let i = 0; i < 1 + (n % 70); i++) log.add('real_server.down', 'warning', process.pid + ' ' + n++);
  if (n < 20_000) setImmediate(burst);
};
const from = log.cursor;
burst();
const query = { after: undefined, limit: undefined, follow: true, selects: undefined };
for await (const { items } of log.follow(query, from, new AbortController().signal))
  writeSync(1, items.map((item) => JSON.stringify(item) + '\\n').join(''));
`;

test(`killed ${KILLS} times: no number twice, no event lost without a gap`, { timeout: 300_000 }, async (t) => {
  const program = join(folder, 'writer.mjs');
  await build({
    stdin: { contents: WRITER, resolveDir: '.', loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    logLevel: 'error',
  });
  const start = seed();
  t.diagnostic(`seed ${start}`);
  const random = new Random(start);
  const told = new Map<number, string>();
  for (let run = 0; run < KILLS; run++) {
    const child = spawn(process.execPath, [program, events], { stdio: ['ignore', 'pipe', 'inherit'] });
    let first = true;
    for await (const line of createInterface({ input: child.stdout })) {
      if (first) setTimeout(() => child.kill('SIGKILL'), random.below(30));
      first = false;
      // The last line may not be whole.
      if (!line.endsWith('}')) continue;
      const item = JSON.parse(line) as { sequence: number; text: string; gap?: object };
      assert.equal(item.gap, undefined, line);
      assert.equal(told.get(item.sequence), undefined, `${item.sequence} was used twice`);
      told.set(item.sequence, item.text);
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    assert.equal(child.signalCode, 'SIGKILL');
  }
  assert.ok(told.size > KILLS, `${told.size}`);

  const log = new EventLog();
  log.attach(new FileEventStore(events, { onProblem: (text) => assert.fail(text) }));
  let last = 0;
  let first = 0;
  let highest = 0;
  for (const sequence of told.keys()) highest = Math.max(highest, sequence);
  let found = 0;
  for await (const { items } of log.read(readQuery({ after: '0' })))
    for (const item of items) {
      if (isGap(item)) {
        assert.ok('from' in item.gap && item.gap.from === last + 1);
        // The first stored one, or what a killed process had reserved.
        const { from, to } = item.gap;
        for (let lost = from; first > 0 && lost <= to; lost++) assert.ok(!told.has(lost), `${lost} was sent and lost`);
        last = to;
        continue;
      }
      assert.equal(item.sequence, ++last);
      first ||= last;
      const text = told.get(item.sequence);
      if (text === undefined) continue;
      assert.equal(item.text, text);
      found++;
    }
  assert.ok(last >= highest, `${last}, ${highest}`);
  assert.ok(found > 1000, `${found}`);
  t.diagnostic(`${told.size} events told in ${KILLS} runs, ${found} of them still stored`);
  log.close();
});
