// SPDX-License-Identifier: MIT
// Locks of files: held against others, and free as soon as they are released, also if a program runs synchronously next.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { holdLock } from '../../../lab/lock.ts';

const dir = mkdtempSync(join(tmpdir(), 'lvsd-lock-'));
after(() => rmSync(dir, { recursive: true }));
const file = join(dir, 'lock');

test('a lock is held until it is released', async () => {
  const held = await holdLock(file, 'waiting');
  assert.equal(spawnSync('flock', ['-n', file, 'true']).status, 1);
  held?.release();
  assert.equal(spawnSync('flock', ['-w', '60', file, 'true']).status, 0);
});

test('a signal ends the wait', async () => {
  const held = await holdLock(file, 'waiting');
  const stop = new AbortController();
  const waiting = holdLock(file, 'waiting', stop.signal);
  stop.abort();
  assert.equal(await waiting, undefined);
  held?.release();
});
