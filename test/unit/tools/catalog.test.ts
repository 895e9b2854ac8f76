// SPDX-License-Identifier: MIT
// The journal's message catalog: systemd's own journalctl reads it and finds each kind of event by its id.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { KINDS, type Kind } from '../../../src/control/events/kinds.ts';
import { MESSAGE_IDS } from '../../../src/control/events/message-ids.ts';
import { catalogOutput } from '../../../tools/lib/catalog.mjs';

const root = mkdtempSync(join(tmpdir(), 'lvsd-catalog-'));
after(() => rmSync(root, { recursive: true, force: true }));

const journalctl = (...words: string[]) =>
  execFileSync('journalctl', [`--root=${root}`, ...words], { encoding: 'utf8' });

const skip = spawnSync('journalctl', ['--version']).status !== 0 && 'no journalctl here';

test('journalctl knows every kind of event by its id, and says what it means', { skip }, () => {
  const installed = join(root, 'usr/lib/systemd/catalog/lvsd.catalog');
  mkdirSync(dirname(installed), { recursive: true });
  mkdirSync(join(root, 'var/lib/systemd/catalog'), { recursive: true });
  copyFileSync(catalogOutput, installed);
  journalctl('--update-catalog');
  const listed = journalctl('--list-catalog').trim().split('\n').sort();
  const wanted = Object.keys(KINDS).map((kind) => `${MESSAGE_IDS[kind as Kind]} lvsd: ${kind}`);
  assert.deepEqual(listed, wanted.sort());
  const dumped = journalctl('--dump-catalog', MESSAGE_IDS['real_server.down']);
  assert.match(dumped, /\n\nA check of a real server fails: it gets no new connections\.\n/);
});
