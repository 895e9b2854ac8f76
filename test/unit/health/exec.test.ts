// SPDX-License-Identifier: MIT
// Exec checks: real programs, started by the real helper process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { FromExec, ToExec } from '../../../src/health/exec/messages.ts';
import type { ExecCheck } from '../../../src/health/exec/schema.ts';
import { unknown } from '../../../src/health/machine.ts';
import { loadProbers } from '../../../src/health/worker/probers.ts';
import { ProbeRunner } from '../../../src/health/worker/runner.ts';
import { workerPath } from '../../../src/health/worker-path.ts';
import { EXEC, probe, target } from '../../support/probes.ts';

const prepare = await loadProbers();

const dir = mkdtempSync(join(tmpdir(), 'lvsd-exec-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const run = (script: string, check: Partial<ExecCheck> = {}) =>
  probe(target({ ...EXEC, timeout: 3000, command: ['/bin/sh', '-c', script], ...check }, 8080, '10.0.0.1'));

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** True if the process whose id is in the file runs. */
function alive(pidFile: string): boolean {
  const pid = readFileSync(pidFile, 'utf8').trim();
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  // A zombie is dead.
  return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

test('the verdict has the exit status and the last line of output', async () => {
  assert.equal(await run('echo fine'), 'success: exit status 0');
  assert.equal(await run('exit 2'), 'failure: exit status 2');
  assert.equal(
    await run('echo out; echo first >&2; echo "no disk" >&2; echo >&2; exit 3'),
    'failure: exit status 3: no disk',
  );
  assert.equal(await run('echo "CRITICAL: 7"; exit 1'), 'failure: exit status 1: CRITICAL: 7');
  assert.equal(await run('printf "a\\033[31m" >&2; exit 1'), 'failure: exit status 1: a\\x1b[31m');
  assert.equal(await run('kill -SEGV $$'), 'failure: ended by SIGSEGV');
  const long = await run('head -c 5000 /dev/zero | tr "\\0" x >&2; exit 1');
  assert.equal(long.length, 'failure: exit status 1: '.length + 200);
});

test('the environment has PATH and the facts of the check only', async () => {
  const out = join(dir, 'environment');
  process.env.LVSD_TEST_SECRET = 'x';
  assert.equal(await run(`exec /usr/bin/env > ${out}`), 'success: exit status 0');
  const lines = readFileSync(out, 'utf8').trim().split('\n').sort();
  assert.deepEqual(
    lines.filter((line) => !/^(PWD|SHLVL|_)=/.test(line)),
    [
      'LVSD_ADDRESS=10.0.0.1',
      'LVSD_PORT=8080',
      'LVSD_SERVICE=shop',
      'LVSD_TARGET=shop 10.0.0.1:8080',
      'LVSD_TIMEOUT=3',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ],
  );
});

test('a program inherits no descriptor but 0, 1 and 2, whatever was open where lvsd was started', async () => {
  const out = join(dir, 'descriptors');
  // 9 is among those that Node looks at itself, 250 is not.
  const helper = spawn(
    '/bin/bash',
    ['-c', 'exec 9</etc/passwd 250</etc/passwd; exec "$0" "$1"', process.execPath, workerPath('exec')],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  after(() => helper.kill('SIGKILL'));
  const command = ['/bin/sh', '-c', `ls -l /proc/$$/fd > ${out}`];
  const run: ToExec = { type: 'run', number: 1, run: { command, user: undefined, environment: {}, killDelay: 1000 } };
  helper.send(run);
  const ended = await new Promise<FromExec>((resolve) => {
    helper.on('message', (message: FromExec) => message.type === 'ended' && resolve(message));
  });
  helper.disconnect();
  assert.deepEqual(ended.type === 'ended' && ended.verdict, { outcome: 'success', reason: 'exit status 0' });
  const lines = readFileSync(out, 'utf8').trim().split('\n').slice(1);
  const open = lines.map((line) => line.replace(/.* (\d+) -> /, '$1 '));
  // 10 is the shell's copy of its standard output while it is redirected.
  assert.deepEqual(
    open.map((line) => line.split(' ')[0]).filter((fd) => fd !== '10'),
    ['0', '1', '2'],
    open.join(', '),
  );
});

test('there is no shell, and no input', async () => {
  const command = ['/usr/bin/test', '$HOME;*', '=', '$HOME;*'];
  assert.equal(await probe(target({ ...EXEC, command }, 1)), 'success: exit status 0');
  assert.equal(await run('read -r line'), 'failure: exit status 1');
});

test('a script without an interpreter line is not run by a shell', async () => {
  const path = join(dir, 'no-interpreter');
  writeFileSync(path, 'exit 0\n', { mode: 0o755 });
  const verdict = await probe(target({ ...EXEC, timeout: 3000, command: [path] }, 1));
  assert.equal(
    verdict,
    `inconclusive: the program cannot be started: ${path} has no #! line; lvsd does not run scripts through a shell`,
  );
});

test('a program that takes too long is ended, with all its children', async () => {
  const [parent, child] = [join(dir, 'parent'), join(dir, 'child')];
  const started = performance.now();
  const script = `sleep 60 & echo $! > ${child}; echo $$ > ${parent}; wait`;
  assert.equal(await run(script, { interval: 10_000, timeout: 500 }), 'failure: no end of the program within 500ms');
  assert.ok(performance.now() - started < 1800, 'SIGTERM was enough');
  assert.ok(!alive(parent) && !alive(child));
});

test('a program that ignores SIGTERM is killed two seconds later', async () => {
  const [parent, child] = [join(dir, 'stubborn'), join(dir, 'stubborn-child')];
  const started = performance.now();
  const script = `trap '' TERM; sh -c 'sleep 60 & echo $! > ${child}; wait' & echo $$ > ${parent}; while :; do sleep 1; done`;
  assert.equal(await run(script, { interval: 10_000, timeout: 500 }), 'failure: no end of the program within 500ms');
  const took = performance.now() - started;
  assert.ok(took > 2400 && took < 4500, `${took}`);
  assert.ok(!alive(parent) && !alive(child));
});

test('processes that a program leaves running are killed when it ends', async () => {
  const child = join(dir, 'left');
  assert.equal(await run(`sleep 60 & echo $! > ${child}; echo done`), 'success: exit status 0');
  await pause(50);
  assert.ok(!alive(child));
});

test('a program that writes too much is ended', async () => {
  assert.equal(await run('yes'), 'failure: the program wrote more than 1 MiB of output');
  assert.equal(await run('yes >&2'), 'failure: the program wrote more than 1 MiB of output');
});

test('a program that cannot be started is inconclusive', async () => {
  const missing = { command: ['/nowhere/check'] };
  assert.equal(
    await run('', missing),
    'inconclusive: the program cannot be started: no such file or directory (ENOENT)',
  );
  assert.equal(
    await run('', { command: ['/etc/passwd'] }),
    'inconclusive: the program cannot be started: permission denied (EACCES)',
  );
  const open = join(dir, 'open');
  writeFileSync(open, '#!/bin/sh\n');
  chmodSync(open, 0o757);
  assert.equal(
    await run('', { command: [open] }),
    `inconclusive: the program cannot be started: ${open} is writable by others`,
  );
  assert.equal(await run('', { user: 'no-such-user' }), 'inconclusive: user no-such-user does not exist');
});

/** The process of the exec helper, a child of this one. */
function helperPid(): number {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').trim().split(' ');
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('exec.cjs'));
  assert.ok(found);
  return Number(found);
}

test('a stopped helper is inconclusive, and replaced', async () => {
  const script = join(dir, 'quick');
  writeFileSync(script, '#!/bin/sh\nsleep 0.1\n');
  chmodSync(script, 0o755);
  const check = { ...EXEC, interval: 300, timeout: 250, fall: 1, rise: 1, command: [script] };
  const results: string[] = [];
  const troubles: string[] = [];
  const checker = new ProbeRunner({
    concurrency: 10,
    programs: 10,
    prepare,
    onTransition: (_target, { up, reason }) => results.push(`${up ? 'up' : 'down'}: ${reason}`),
    onTrouble: (text) => troubles.push(text),
  });
  const one = target(check, 80);
  checker.add(one, unknown(one.id, true, Date.now()));
  await pause(1000);
  const before = helperPid();
  process.kill(before, 'SIGSTOP');
  // Five intervals without a message, and a restart.
  await pause(8000);
  const after = helperPid();
  assert.notEqual(after, before);
  await pause(1500);
  assert.deepEqual(results, []);
  assert.ok((checker.state(one.id)?.probes ?? 0) > 4);
  assert.ok(troubles.length > 0);
  checker.stop();
});

test('programs end when their helper is killed', async () => {
  const pidFile = join(dir, 'orphan');
  const waiting = run(`echo $$ > ${pidFile}; trap "" TERM; sleep 60 & wait; sleep 60`);
  await pause(500);
  process.kill(helperPid(), 'SIGKILL');
  assert.equal(await waiting, 'inconclusive: the exec helper has ended');
  await pause(200);
  assert.ok(!alive(pidFile));
  // Two starts are a second apart.
  await pause(1000);
  assert.equal(await run('exit 0'), 'success: exit status 0');
});

test('a program that ignores SIGTERM does not delay the next check', async () => {
  const begun: number[] = [];
  const log = join(dir, 'begun');
  const command = ['/bin/sh', '-c', `trap "" TERM; date +%s%3N >> ${log}; while :; do sleep 0.1; done`];
  const check = { ...EXEC, interval: 1000, timeout: 400, fall: 3, rise: 1, command };
  const downAt = await new Promise<number>((resolve) => {
    const start = performance.now();
    const one = target(check, 80);
    const checker = new ProbeRunner({
      concurrency: 10,
      programs: 10,
      prepare,
      onTransition: () => {
        checker.stop();
        resolve(performance.now() - start);
      },
      onTrouble: () => {},
    });
    checker.add(one, unknown(one.id, true, Date.now()));
  });
  for (const line of readFileSync(log, 'utf8').trim().split('\n')) begun.push(Number(line));
  assert.equal(begun.length, 3);
  assert.ok(downAt < 3 * 1000 + 400 + 600, `${downAt} ms`);
});

test('a program runs as the given user, without supplementary groups', {
  skip: userInfo().uid !== 0 && 'needs root',
}, async () => {
  assert.equal(await run('test "$(id -un):$(id -G)" = nobody:65534', { user: 'nobody' }), 'success: exit status 0');
  assert.equal(await run('test "$(id -u)" = 0'), 'success: exit status 0');
});
