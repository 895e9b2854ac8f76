// SPDX-License-Identifier: MIT
// A supervised child process: restarts, the reasons in the log, and stopping in each state.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SupervisedChild } from '../../src/base/supervised-child.ts';
import { recordingLog } from '../support/recording-log.ts';

const dir = mkdtempSync(join(tmpdir(), 'lvsd-child-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const script = join(dir, 'child.cjs');
writeFileSync(
  script,
  `process.send('started');
process.on('message', (message) => {
  if (message.say) process.send(message.say);
  if (message.fail) { process.stderr.write('first line\\nsecond line\\n'); process.exitCode = 3; process.disconnect(); }
});
process.on('disconnect', () => { if (process.argv[2] !== 'hang') process.exit(); });
if (process.argv[2] === 'hang') setInterval(() => {}, 1000);
`,
);

function made({ path = script, args = [] as string[], cleaning = Promise.resolve() } = {}) {
  const log = recordingLog();
  const seen: string[] = [];
  let wake = () => {};
  const child = new SupervisedChild<string>({
    name: 'the child',
    log,
    fork: () => fork(path, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] }),
    onStart: () => void seen.push('start'),
    onMessage: (message) => {
      seen.push(message);
      wake();
    },
    onEnd: (how) => {
      seen.push(`end ${how}`);
      wake();
      return cleaning;
    },
  });
  /** Waits until this was seen once more. */
  const sees = async (text: string) => {
    const count = () => seen.filter((one) => one === text).length;
    const before = count();
    while (count() === before) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { child, log, seen, sees };
}

test('a child that ends is started again, once what has to be done before that is done', async () => {
  let clean = () => {};
  const cleaning = new Promise<void>((resolve) => (clean = resolve));
  const { child, seen, sees } = made({ cleaning });
  child.start();
  child.start();
  await sees('started');
  const first = child.pid;
  child.send({ say: 'hello' });
  await sees('hello');
  child.send({ fail: true });
  await sees('end exit status 3: first line');
  assert.equal(child.running, false);
  // A start at this moment must not make a second process.
  child.start();
  assert.equal(child.running, false);
  clean();
  await sees('started');
  assert.notEqual(child.pid, first);
  child.kill();
  await sees('end SIGKILL');
  await sees('started');
  assert.equal(await child.stop(), true);
  assert.deepEqual(seen, [
    ...['start', 'started', 'hello', 'end exit status 3: first line'],
    ...['start', 'started', 'end SIGKILL', 'start', 'started', 'end undefined'],
  ]);
  child.start();
  assert.equal(child.running, false, 'it stays stopped');
});

test('one that cannot start is tried again', async () => {
  const { child, log, sees } = made({ path: join(dir, 'missing.cjs') });
  child.start();
  while (log.lines.length < 3) await Promise.race([sees('end exit status 1'), new Promise((r) => setTimeout(r, 50))]);
  assert.equal(await child.stop().then(() => child.running), false);
});

test('one that does not end when its channel closes is killed', async () => {
  const { child, sees } = made({ args: ['hang'] });
  child.start();
  await sees('started');
  const before = performance.now();
  assert.equal(await child.stop(), true);
  assert.ok(performance.now() - before > 2900);
  assert.equal(await child.stop(), false);
});
