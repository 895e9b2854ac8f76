// SPDX-License-Identifier: MIT
// The lab's cache: entries are made once, old ones removed.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cached } from '../../../lab/cache.ts';

const cache = mkdtempSync(join(tmpdir(), 'lvsd-cache-'));
process.env.LVSD_CACHE = cache;
after(() => rmSync(cache, { recursive: true, force: true }));

const entry = (name: string, keep?: number) =>
  cached('kind', name, (dir) => writeFileSync(join(dir, 'content'), `${name} ${Math.random()}`), keep);

test('an entry is made once', async () => {
  const read = async () => readFileSync(join(await entry('once'), 'content'), 'utf8');
  assert.equal(await read(), await read());
});

test('old entries are removed, but none that a running lab may still use', async () => {
  const age = async (name: string, hours: number) => {
    const then = new Date(Date.now() - hours * 3600_000);
    utimesSync(await entry(name), then, then);
  };
  await age('old', 3);
  await age('older', 4);
  await age('recent', 1);
  await entry('new', 1);
  assert.deepEqual(readdirSync(join(cache, 'lab/kind')).sort(), ['new', 'once', 'recent']);
});
