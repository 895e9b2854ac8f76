// SPDX-License-Identifier: MIT
// Health checks over random inputs: verdicts do not depend on how bytes are split, state machines keep their rules,
// schedules their limits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AnswerReader, type Finding } from '../../src/health/http/answer.ts';
import type { HttpCheck } from '../../src/health/http/schema.ts';
import { next, unknown } from '../../src/health/machine.ts';
import { nextQuorum } from '../../src/health/quorum.ts';
import { Heap, type HeapItem } from '../../src/health/schedule/heap.ts';
import { Schedule, type Slot } from '../../src/health/schedule/schedule.ts';
import { HTTP } from '../support/probes.ts';

const RUNS = process.env.LVSD_COUNTS === 'full' ? 20_000 : 1000;

/** The verdict of a check on these bytes, followed by the end of the connection. */
function finding(check: HttpCheck, pieces: readonly Uint8Array[]): string {
  const found: Finding[] = [];
  const reader = new AnswerReader(check, (one) => found.push(one));
  // One buffer for all pieces, as with a socket: the reader must not keep a view of it.
  const buffer = Buffer.alloc(Math.max(1, ...pieces.map(({ length }) => length)));
  for (const piece of pieces) {
    if (reader.over) break;
    buffer.fill('#').set(piece);
    reader.push(buffer.subarray(0, piece.length));
  }
  if (!reader.over) reader.end();
  assert.equal(found.length, 1, 'there is exactly one verdict');
  const [one] = found;
  if (!one) return '';
  return 'outcome' in one ? `${one.outcome}: ${one.reason}` : `match ${one.body.toString('latin1')}`;
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

const chunk = fc.tuple(fc.string({ maxLength: 12 }), fc.constantFrom('', ';x=y', ' ')).map(([text, extension]) => {
  const bytes = Buffer.from(text);
  return bytes.length === 0 ? '' : `${bytes.length.toString(16)}${extension}\r\n${text}\r\n`;
});

const body = fc.oneof(
  fc.string({ maxLength: 40 }).map((text) => `Content-Length: ${Buffer.from(text).length}\r\n\r\n${text}tail`),
  fc.array(chunk).map((chunks) => `Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`),
  fc.string({ maxLength: 40 }).map((text) => `\r\n${text}`),
  fc.constantFrom(
    'Content-Length: 9, 9\r\n\r\n123456789',
    'Content-Length: x\r\n\r\n',
    'Transfer-Encoding: gzip\r\n\r\n',
  ),
);

const answer = fc
  .tuple(
    fc.constantFrom('', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early\nLink: </x>\n\n'),
    fc.constantFrom(
      'HTTP/1.1 200 OK',
      'HTTP/1.0 204 ',
      'HTTP/1.1 304',
      'HTTP/1.1 503 Busy',
      'HTTP/1.1 2000',
      'SSH-2.0',
    ),
    fc.constantFrom('\r\n', '\n'),
    fc.constantFrom('', 'Server: x\r\n', 'X: a\r\n b: c\r\n', ': no name\r\n', 'no colon\r\n'),
    body,
  )
  .map((parts) => Buffer.from(parts.join('')));

/** An answer with a few bytes changed, removed or inserted. */
const spoiled = fc
  .tuple(
    answer,
    fc.array(fc.tuple(fc.nat(), fc.constantFrom('set', 'drop', 'insert'), fc.integer({ min: 0, max: 255 })), {
      maxLength: 3,
    }),
  )
  .map(([bytes, changes]) => {
    const list = [...bytes];
    for (const [place, what, byte] of changes) {
      const at = place % Math.max(1, list.length);
      list.splice(at, what === 'insert' ? 0 : 1, ...(what === 'drop' ? [] : [byte]));
    }
    return Buffer.from(list);
  });

const check = fc
  .tuple(
    fc.constantFrom('GET', 'HEAD'),
    fc.constantFrom<HttpCheck['status']>([[200, 299]], [[200, 399]]),
    fc.oneof(
      fc.constant(undefined),
      fc.string({ minLength: 1, maxLength: 3 }).map((contains) => ({ contains })),
      fc.constant({ matches: 'x' }),
    ),
  )
  .map(([method, status, wanted]): HttpCheck => ({ ...HTTP, method, status, body: wanted }));

test('a response is parsed the same however its bytes are split', () => {
  fc.assert(
    fc.property(check, spoiled, fc.array(fc.nat(), { maxLength: 8 }), (of, bytes, places) => {
      const whole = finding(of, [bytes]);
      assert.equal(finding(of, cut(bytes, places)), whole);
      assert.equal(
        finding(
          of,
          cut(
            bytes,
            Array.from(bytes, (_, i) => i),
          ),
        ),
        whole,
        'byte by byte',
      );
    }),
    { numRuns: RUNS },
  );
});

test('a chunked body is decoded, and a text in it is found', () => {
  const pieces = fc.array(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 8 });
  fc.assert(
    fc.property(
      pieces,
      fc.string({ minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      (list, needle, places) => {
        const chunks = list.map((text) => `${Buffer.from(text).length.toString(16)}\r\n${text}\r\n`);
        const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`);
        const text = list.join('');
        const contains = finding({ ...HTTP, body: { contains: needle } }, cut(bytes, places));
        assert.equal(contains.startsWith('success'), Buffer.from(text).includes(Buffer.from(needle)));
        const whole = finding({ ...HTTP, body: { matches: 'x' } }, cut(bytes, places));
        assert.equal(whole, `match ${Buffer.from(text).toString('latin1')}`);
      },
    ),
    { numRuns: RUNS },
  );
});

test('a target’s state depends on its last results only', () => {
  const thresholds = fc.record({ rise: fc.integer({ min: 1, max: 5 }), fall: fc.integer({ min: 1, max: 5 }) });
  fc.assert(
    fc.property(
      thresholds,
      fc.boolean(),
      fc.array(fc.boolean(), { maxLength: 60 }),
      ({ rise, fall }, initially, results) => {
        let state = unknown('x', initially, 0);
        let up = initially;
        for (const [index, ok] of results.entries()) {
          state = next(state, { at: index, ok, reason: '', latency: 0 }, { rise, fall });
          // The rule: the state changes if the last `rise` or `fall` results all differ from it.
          const needed = up ? fall : rise;
          const last = results.slice(Math.max(0, index + 1 - needed), index + 1);
          if (last.length === needed && last.every((each) => each !== up)) up = !up;
          assert.equal(state.up, up);
          assert.equal(state.probes, index + 1);
          if (ok === state.up) assert.equal(state.streak, 0, 'results that equal the state reset the streak');
        }
        assert.equal(state.failures, results.filter((ok) => !ok).length);
      },
    ),
    { numRuns: RUNS },
  );
});

test('a quorum between its two limits keeps its state', () => {
  const small = fc.integer({ min: 0, max: 12 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), small, small, fc.boolean(), (quorum, hysteresis, weight, before) => {
      const after = nextQuorum(before, weight, quorum, hysteresis);
      if (weight === 0 || weight < quorum - hysteresis) assert.equal(after, false);
      else if (weight >= quorum + hysteresis) assert.equal(after, true);
      else assert.equal(after, before);
      assert.equal(nextQuorum(after, weight, quorum, hysteresis), after, 'the same weight again changes nothing');
    }),
    { numRuns: RUNS },
  );
});

test('a heap returns items by time, also after removals', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat({ max: 50 }), fc.boolean())), (list) => {
      const heap = new Heap<HeapItem>();
      const items = list.map(([at]) => ({ at, index: -1 }));
      for (const item of items) heap.add(item);
      items.forEach((item, i) => {
        if (list[i]?.[1]) heap.remove(item);
      });
      const left = items.filter((_, i) => !list[i]?.[1]).map(({ at }) => at);
      const taken: number[] = [];
      for (let first = heap.first; first; first = heap.first) {
        heap.remove(first);
        taken.push(first.at);
      }
      assert.deepEqual(
        taken,
        left.sort((a, b) => a - b),
      );
    }),
    { numRuns: RUNS },
  );
});

test('under random events a schedule keeps its limit, probes no target twice at once, and loses none', () => {
  const step = fc.tuple(fc.constantFrom('add', 'remove', 'finish', 'time', 'time'), fc.nat({ max: 700 }));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 150 }), (limit, steps) => {
      const schedule = new Schedule<string>({ sockets: limit, programs: 1 });
      const slots = new Map<string, Slot<string>>();
      const running = new Map<string, Slot<string>>();
      let [now, names] = [0, 0];
      const work = (): void => {
        const { started } = schedule.advance(now);
        for (const name of started) {
          assert.ok(!running.has(name));
          running.set(name, slots.get(name) ?? assert.fail('a removed target was started'));
        }
        assert.ok(running.size <= limit);
        assert.equal(schedule.running, running.size);
      };
      const finish = (name: string): void => {
        const slot = running.get(name);
        running.delete(name);
        if (slot) schedule.finished(slot, now);
      };
      for (const [what, number] of steps) {
        if (what === 'add') {
          const timing = {
            interval: 100 + number,
            timeout: 50 + number,
            lane: 'sockets',
          } as const;
          const name = `${++names}`;
          slots.set(name, schedule.add(name, timing, number / 701, now));
        } else if (what === 'time') {
          now += number;
        } else if (what === 'finish') {
          const name = [...running.keys()][number % Math.max(1, running.size)];
          if (name !== undefined) finish(name);
        } else {
          const name = [...slots.keys()][number % Math.max(1, slots.size)];
          const slot = name === undefined ? undefined : slots.get(name);
          if (name !== undefined && slot) {
            slots.delete(name);
            if (schedule.remove(slot)) finish(name);
          }
        }
        work();
      }
      // If every probe ends at once, each target is probed within an interval and a half.
      const seen = new Set<string>();
      for (let i = 0; i < 40; i++) {
        for (const name of [...running.keys()]) finish(name);
        now += 50;
        for (let more = true; more; ) {
          const before = running.size;
          work();
          for (const name of running.keys()) seen.add(name);
          more = running.size > before;
          for (const name of [...running.keys()]) finish(name);
        }
      }
      for (const name of slots.keys()) assert.ok(seen.has(name), `${name} was not probed`);
    }),
    { numRuns: RUNS / 4 },
  );
});
