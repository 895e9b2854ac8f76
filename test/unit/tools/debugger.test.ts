// SPDX-License-Identifier: MIT
// No program of ours opens Node's debugger on SIGUSR1.
import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const dist = join(import.meta.dirname, '../../../dist');
const programs = ['bin', 'workers'].flatMap((dir) =>
  readdirSync(join(dist, dir))
    .filter((name) => name.endsWith('.cjs'))
    .map((name) => join(dist, dir, name)),
);

/** Waits for text on stderr. */
function says(child: ChildProcess, text: RegExp): Promise<void> {
  let all = '';
  return new Promise((resolve) => {
    child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      all += part;
      if (text.test(all)) resolve();
    });
  });
}

test('every program but lvsadm, which ends at once, begins with a handler of the signal', () => {
  const lasting = programs.filter((path) => !/\/lvsadm[^/]*$/.test(path));
  assert.ok(lasting.length >= 6, lasting.join());
  for (const path of lasting) {
    const head = readFileSync(path, 'latin1').slice(0, 500);
    assert.match(head, /^process\.on\('SIGUSR1', \(\) => \{\}\);$/m, path);
  }
});

test('programs that run for a while do not open it, as any other program does', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'lvsd-debugger-')), 'silent.sock');
  const silent = createServer().listen(path);
  const children: ChildProcess[] = [];
  after(() => {
    silent.close();
    for (const child of children) child.kill('SIGKILL');
  });
  const stdio = ['pipe', 'pipe', 'pipe'] as const;
  const run = (name: string, args: readonly string[]) =>
    spawn(process.execPath, [join(dist, 'bin', name), ...args], { stdio: [...stdio] });
  const client = run('lvsctl.cjs', ['status', '--socket', path]);
  children.push(client);
  await once(silent, 'connection');
  const worker = (name: string) => {
    const child = fork(join(dist, 'workers', name), [], { execArgv: [], stdio: [...stdio, 'ipc'] });
    children.push(child);
    return child;
  };
  const [health, exec] = [worker('health.cjs'), worker('exec.cjs')];
  exec.send({ type: 'ping' });
  await Promise.all([once(health, 'message'), once(exec, 'message')]);
  // The comparison: signalled last, so that the others have had more time.
  const other = spawn(process.execPath, ['--inspect-port=0', '-e', 'setInterval(() => {}, 1000); console.log(1)']);
  children.push(other);
  await once(other.stdout, 'data');
  let opened = '';
  for (const child of [client, health, exec])
    void says(child, /debugger|inspector/i).then(() => {
      opened += ` ${child.spawnargs.join(' ')}`;
    });
  const opens = says(other, /Debugger listening/);
  for (const child of [client, health, exec, other]) child.kill('SIGUSR1');
  await opens;
  exec.send({ type: 'ping' });
  await Promise.all([once(health, 'message'), once(exec, 'message')]);
  assert.equal(opened, '');
  assert.equal(client.exitCode ?? client.signalCode, null);
});
