// SPDX-License-Identifier: MIT
// SYN cookies of the kernel series, the very file that goes into ip_vs.ko, compiled for user space.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'lvsd-cookie-'));
const trips = 1_000_000;
const forgedAcks = process.env.LVSD_COUNTS === 'full' ? 2 ** 28 : 2 ** 26;

function run(command: string, args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: top, encoding: 'utf8' });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout.trim();
}

const sanitized = join(dir, 'cookie-sanitized');
const fast = join(dir, 'cookie');

before(() => {
  const source = process.env.LVSD_KERNEL_TREE ?? run('kernel-patches/build', ['--print-src']);
  const ipvs = join(source, 'net/netfilter/ipvs');
  const flags = ['-O2', '-g', '-Wall', '-Werror', '-Itest/fuzz/shim', `-I${ipvs}`];
  const sources = ['test/fuzz/cookie.c', join(ipvs, 'ip_vs_cookie.c')];
  const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  run('gcc', [...flags, ...sanitize, '-o', sanitized, ...sources]);
  run('gcc', [...flags, '-o', fast, ...sources]);
});

after(() => rmSync(dir, { recursive: true, force: true }));

/** The chance that a random number is a good cookie: three periods, 256 values of data. */
const chance = (3 * 256) / 2 ** 32;

function assertWithin3Sigma(what: string, hits: number, tries: number, probability: number): void {
  const expected = tries * probability;
  const off = Math.abs(hits - expected);
  assert.ok(off <= 3 * Math.sqrt(expected), `${what}: ${hits} of ${tries}, expected ${expected.toFixed(1)}`);
}

test('the hash is SipHash-2-4', () => {
  // Aumasson and Bernstein's vectors for 16 and 24 bytes.
  assert.deepEqual(run(sanitized, ['hash']).split('\n'), ['3f2acc7f57c29bdb', 'b8ad50c6f649af94']);
});

test('a cookie remembers MSS, window scale and SACK', () => {
  const cases: [string, string][] = [
    ['1460 7 1', '1460 7 1'],
    ['1459 0 0', '1440 0 0'],
    ['1452 15 1', '1440 15 1'],
    ['536 14 0', '536 14 0'],
    ['535 1 1', '216 1 1'],
    ['0 2 0', '216 2 0'],
    ['65535 200 0', '8960 14 0'],
    ['8959 3 1', '1460 3 1'],
  ];
  for (const [offered, remembered] of cases)
    assert.equal(run(sanitized, ['pack', ...offered.split(' ')]), remembered, offered);
});

test(`${trips} cookies are good in their own and the neighbouring periods, and for one ISN, offer and key only`, () => {
  const found = Object.fromEntries(
    run(sanitized, ['trips', String(trips), '1'])
      .split('\n')
      .map((line) => {
        const [kind = '', counts = ''] = line.split(': ');
        return [kind, counts.split(' ').map(Number) as [number, number]] as const;
      }),
  );
  for (const kind of ['same', 'next', 'previous']) assert.deepEqual(found[kind], [trips, trips], kind);
  for (const kind of ['late', 'early']) assert.deepEqual(found[kind], [0, 0], kind);
  // Another ISN or offer in the same period: 256 of 2^24.
  for (const kind of ['isn+1', 'isn-1', 'other offer'])
    assertWithin3Sigma(kind, found[kind]?.[0] ?? Number.NaN, trips, 2 ** -16);
  assertWithin3Sigma('other key', found['other key']?.[0] ?? Number.NaN, trips, chance);
});

test(`of ${forgedAcks} random ACKs as many are taken for good ones as the documentation says`, () => {
  const hits = Number(run(fast, ['forged', String(forgedAcks), '3']));
  assertWithin3Sigma('forged', hits, forgedAcks, 2 * chance);
});
