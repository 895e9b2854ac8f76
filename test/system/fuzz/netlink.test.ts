// SPDX-License-Identifier: MIT
// lab: --uml
// Valid and damaged netlink messages made from our attribute tables, in namespaces that come and go: see messages.c.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { GenericNetlink } from '../../../src/netlink/index.ts';
import { recordFigures } from '../../support/figures.ts';
import { Random, seed as someSeed } from '../../support/random.ts';
import { kernelLog } from '../fullnat/rig.ts';
import { kernelIsClean, nothingLeaks } from './kernel.ts';
import { Messages } from './messages.ts';
import { compile, loadModules, unloadModules, writeMessages } from './network.ts';

const seed = someSeed();
const count = Number(process.env.LVSD_FUZZ ?? (process.env.LVSD_COUNTS === 'full' ? 1_000_000 : 50_000));
/** The number of messages in one file, and in one namespace. */
const FILE = 50_000;
const PART = 1000;

type Outcome = Record<string, number>;

test(`${count} netlink messages, seed ${seed}: none harms the kernel`, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-fuzz-'));
  const program = join(dir, 'messages');
  compile(program, 'messages.c');
  loadModules();
  const netlink = new GenericNetlink();
  const { id, version } = await netlink.family('IPVS');
  netlink.close();
  const messages = new Messages(new Random(seed));
  const started = performance.now();
  for (let sent = 0; sent < count; sent += FILE) {
    const some = Math.min(FILE, count - sent);
    writeMessages(join(dir, 'file'), some, () => messages.next(id, version));
    const ran = spawnSync(program, [join(dir, 'file'), String(PART)], { encoding: 'utf8' });
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(`${sent + some} of ${count} messages after ${seconds} s: ${ran.stdout.trim()}`, ran.stderr.trim());
    recordFigures('messages', { seed, messages: sent + some, seconds });
    assert.equal(ran.status, 0, ran.stderr);
    const { root, user, noRights } = JSON.parse(ran.stdout) as Record<'root' | 'user' | 'noRights', Outcome>;
    assert.ok((root.done ?? 0) > some / 20, 'some of them succeeded');
    for (const { done, answers, others } of [user, noRights]) {
      assert.equal(done ?? 0, 0, 'a user without rights changes nothing');
      assert.equal(answers, 0, 'and gets no data');
      if (some >= FILE) assert.ok((others ?? 0) > 0, "netlink's own answers are counted separately");
    }
  }
  await unloadModules();
  await nothingLeaks();
  kernelIsClean(kernelLog());
});
