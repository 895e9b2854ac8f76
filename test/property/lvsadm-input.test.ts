// SPDX-License-Identifier: MIT
// Random arguments and input: lvsadm prints no stack trace, and exits with a documented status after one line of error.
// Everything up to the kernel runs here; IPVS may be missing on this machine.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { parseGlobalOptions } from '../../src/ipvsadm/command-line/global-options.ts';
import { parse } from '../../src/ipvsadm/command-line/grammar.ts';
import { optionsFor } from '../../src/ipvsadm/command-line/options.ts';
import { Fatal, Rejected } from '../../src/ipvsadm/errors.ts';
import { readWhole } from '../../src/ipvsadm/input.ts';
import { HostNeeded, Lookup } from '../../src/ipvsadm/lookup.ts';
import { restore } from '../../src/ipvsadm/restore.ts';
import { Session } from '../../src/ipvsadm/session.ts';

const FULL = process.env.LVSD_COUNTS === 'full';
const runs = FULL ? 100_000 : 5_000;
const STATUSES = [2, 255];

/** No resolver: a name has no address. */
class NoNames extends Lookup {
  override host(): Uint8Array | undefined {
    return undefined;
  }
}
const lookup = new NoNames();

const known = [...optionsFor(undefined), ...optionsFor('add-server')];
const written = known.flatMap(({ long, short }) => [`--${long}`, `--${long}=`, ...(short ? [`-${short}`] : [])]);
const option = fc.constantFrom(...written);
const value = fc.oneof(
  fc.constantFrom(
    '192.0.2.1:80',
    '[2001:db8::80]:80',
    '10.0.0.1',
    'master',
    'rr',
    '255.255.255.0',
    '7',
    '-1',
    '',
    '0x',
    ':',
  ),
  fc.integer({ min: -(2 ** 31), max: 2 ** 33 }).map(String),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll('\0', '')),
  fc.string({ unit: fc.constantFrom(..."-=[]:.,/0129afx \t\n%`'"), maxLength: 30 }),
  fc.constantFrom('x'.repeat(70_000), '-'.repeat(5000), '9'.repeat(400), '1.'.repeat(9000), ':'.repeat(9000)),
);
const glued = fc.tuple(option, value).map(([name, text]) => name + text);
const words = fc.array(fc.oneof({ weight: 4, arbitrary: option }, { weight: 4, arbitrary: value }, glued), {
  maxLength: 9,
});

function oneLine(error: unknown, about: unknown): void {
  assert.ok(error instanceof Fatal || error instanceof Rejected, `${JSON.stringify(about)}: ${String(error)}`);
  assert.ok(STATUSES.includes(error.status), `${JSON.stringify(about)}: status ${error.status}`);
  // The words may contain newlines; our messages have none, except for a blank line after one of them.
  assert.doesNotMatch(error.message, /^\s+at .*:\d+:\d+\)?$/m);
}

test(`${runs} random command lines give a command or one line of error`, () => {
  let understood = 0;
  fc.assert(
    fc.property(words, (line) => {
      try {
        const { rest } = parseGlobalOptions(line, 'lvsadm');
        parse(rest, lookup, 'lvsadm');
        understood++;
      } catch (error) {
        oneLine(error, line);
      }
    }),
    { numRuns: runs },
  );
  assert.ok(understood > runs / 2000, `only ${understood} of them are valid`);
});

test('random bytes as rules give a status and no stack trace', async () => {
  const line = fc.oneof(
    words.map((list) => list.join(' ')),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );
  const text = fc.array(line, { maxLength: 5 }).map((lines) => Buffer.from(lines.join('\n')));
  const bytes = fc.oneof(text, fc.uint8Array({ maxLength: 300 }).map(Buffer.from));
  await fc.assert(
    fc.asyncProperty(bytes, fc.integer({ min: 1, max: 64 }), async (input, size) => {
      const piece = Math.max(size, Math.ceil(input.length / 50));
      const chunks = Array.from({ length: Math.ceil(input.length / piece) }, (_, at) =>
        input.subarray(at * piece, (at + 1) * piece),
      );
      const outputs: string[] = [];
      const take = (out: string) => outputs.push(out);
      const session = new Offline(
        'lvsadm',
        { out: take, err: take, flush: () => {}, closed: false },
        { input: chunks },
      );
      try {
        const status = await restore(session.input, session);
        assert.ok([0, ...STATUSES].includes(status), `${input.toString('hex')}: ${status}`);
      } catch (error) {
        if (!(error instanceof NoKernel)) oneLine(error, input.toString('hex'));
      }
      assert.doesNotMatch(outputs.join(''), /^\s+at .*:\d+:\d+\)?$/m);
    }),
    { numRuns: FULL ? runs : runs / 10 },
  );
});

const processes = FULL ? 500 : 25;
const program = fileURLToPath(new URL('../../dist/bin/lvsadm.cjs', import.meta.url));

interface Sample {
  readonly line: readonly string[];
  readonly input: Uint8Array;
}

async function asProcess({ line, input }: Sample): Promise<void> {
  // A namespace of its own, because valid commands must not change this machine's table; a time-out ends --watch.
  const child = spawn('unshare', ['--net', program, ...line], { timeout: 30_000 });
  // It may end before it has read its input.
  child.stdin.on('error', () => {}).end(input);
  const ended = new Promise<number | null>((resolve, reject) => child.on('close', resolve).on('error', reject));
  const [status, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  const about = `${JSON.stringify(line)} < ${Buffer.from(input).toString('hex')}: ${status}\n${stderr}`;
  assert.ok(line.some((word) => word.startsWith('--watch')) || status !== null, about);
  assert.ok(status === null || [0, 1, 2, 3, 4, 5, 255].includes(status), about);
  assert.doesNotMatch(`${stdout}${stderr}`, /^\s+at .*:\d+:\d+\)?$/m, about);
}

test(`${processes} of each as processes, in an empty network namespace`, async () => {
  const typed = fc.record({ line: words, input: fc.uint8Array({ maxLength: 300 }) });
  const rules = fc.record({
    line: fc.constantFrom(['-R'], ['restore', '-'], ['restore', '--atomic', '-'], ['diff', '-']),
    input: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(words.map((list) => list.join(' '))).map((lines) => Buffer.from(lines.join('\n'))),
    ),
  });
  const samples: Sample[] = [fc.sample(typed, processes), fc.sample(rules, processes)].flat();
  const work = async () => {
    for (let sample = samples.pop(); sample; sample = samples.pop()) await asProcess(sample);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
});

/** Thrown in place of an access to the kernel. */
class NoKernel extends Error {}

class Offline extends Session {
  override readonly lookup = lookup;

  override connect(): Promise<never> {
    return Promise.reject(new NoKernel());
  }
}

test('a host name has to be looked up', () => {
  assert.throws(() => parse(['-A', '-t', 'name:80'], new Lookup(), 'lvsadm'), HostNeeded);
});

test('an endless line is rejected after a megabyte', async () => {
  let chunks = 0;
  async function* endless() {
    for (; chunks < 100_000; chunks++) yield Buffer.alloc(64, 'x');
  }
  const session = new Offline(
    'lvsadm',
    { out: () => {}, err: () => {}, flush: () => {}, closed: false },
    { input: endless() },
  );
  await assert.rejects(restore(endless(), session), { message: 'a rule is longer than 1048576 bytes', status: 2 });
  assert.equal(chunks, 16_384);
});

test('an endless file of rules is rejected', () => {
  const fd = openSync('/dev/zero', 'r');
  assert.equal(readWhole(fd, 1 << 20), undefined);
  closeSync(fd);
  assert.equal(readWhole(openSync('/dev/null', 'r'), 10)?.length, 0);
});
