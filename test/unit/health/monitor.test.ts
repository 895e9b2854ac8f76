// SPDX-License-Identifier: MIT
// The monitor with its real health worker: transitions, snapshots, reloads, and processes that end or hang.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { Log } from '../../../src/base/log.ts';
import { HealthMonitor } from '../../../src/health/monitor.ts';
import type { Check, Target, TargetState, Transition } from '../../../src/health/types.ts';
import { closedPort, EXEC, HTTP, listening, serve, TCP, target } from '../../support/probes.ts';
import { authority, certificate } from './certificates.ts';

const FAST = { ...TCP, interval: 100, timeout: 100 };

const monitors: HealthMonitor[] = [];
after(() => Promise.all(monitors.map((monitor) => monitor.stop())));

function start(): { monitor: HealthMonitor; transitions: Transition[]; lines: string[] } {
  const lines: string[] = [];
  const line = (text: string): void => void lines.push(text);
  const log: Log = { error: line, warn: line, info: line, debug: line };
  const monitor = new HealthMonitor({ concurrency: 50, log });
  monitors.push(monitor);
  const transitions: Transition[] = [];
  monitor.onTransition((transition) => transitions.push(transition));
  return { monitor, transitions, lines };
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(condition: () => boolean | Promise<boolean>, what: string, patience = 8000): Promise<void> {
  const end = performance.now() + patience;
  while (!(await condition())) {
    assert.ok(performance.now() < end, `waited too long: ${what}`);
    await pause(20);
  }
}

async function probes(monitor: HealthMonitor, { id }: Target): Promise<number> {
  return (await monitor.states()).get(id)?.probes ?? 0;
}

/** Process ids of the children of one process. */
const children = (of: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ')[1] === String(of);
      } catch {
        return false;
      }
    })
    .map(Number);

const checkers = (of = process.pid): number[] =>
  children(of).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('dist/workers/health.cjs'));

test('history has transitions, the last results, and failures by reason', async () => {
  const port = await closedPort();
  const { monitor, transitions } = start();
  const of = target(FAST, port);
  monitor.configure([of]);
  await until(() => transitions.length === 1, 'down');
  const server = createServer((socket) => socket.on('error', () => {})).listen(port, '127.0.0.1');
  await until(() => transitions.length === 2, 'up');
  const history = (await monitor.history([of.id, 'unknown'])).get(of.id);
  assert.ok(history);
  assert.deepEqual(
    history.transitions.map(({ up, reason, code }) => [up, reason, code]),
    [
      [false, 'connection refused', 'refused'],
      [true, 'connected', undefined],
    ],
  );
  assert.match(history.recent, /^-{3,30}\+{2,}$/);
  const { failures } = history.state;
  assert.ok(failures >= 3);
  assert.deepEqual(history.reasons, [{ reason: 'connection refused', count: failures }]);
  assert.deepEqual(
    history.failures.map(({ reason, code }) => `${code}: ${reason}`),
    new Array(Math.min(failures, 10)).fill('refused: connection refused'),
  );
  server.close();
});

test('a check that cannot be made is reported when that begins and ends, and does not count', async () => {
  const { monitor, transitions } = start();
  const program = join(tmpdir(), `lvsd-monitor-${process.pid}`);
  const of = target({ ...EXEC, interval: 500, timeout: 400, command: [program] }, 1);
  const reasons: (string | undefined)[] = [];
  monitor.onInability((_id, inability) => reasons.push(inability?.reason));
  monitor.configure([of]);
  await until(() => reasons.length === 1, 'the inability');
  assert.match(reasons[0] ?? '', /^the program cannot be started: /);
  const { since = 0 } = monitor.inability(of.id) ?? {};
  assert.ok(Math.abs(since - Date.now()) < 10_000);
  writeFileSync(program, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  await until(() => reasons.length === 2, 'its end');
  assert.deepEqual([reasons[1], monitor.inability(of.id), transitions], [undefined, undefined, []]);
  rmSync(program);
});

test('a target that goes down and comes up, with the reasons', async () => {
  const port = await closedPort();
  const { monitor, transitions } = start();
  const of = target(FAST, port);
  monitor.configure([of]);
  await until(() => transitions.length === 1, 'down');
  assert.deepEqual(
    { ...transitions[0], at: 0 },
    { id: of.id, up: false, reason: 'connection refused', code: 'refused', at: 0 },
  );
  assert.ok(Math.abs((transitions[0]?.at ?? 0) - Date.now()) < 2000);
  const server = createServer((socket) => socket.on('error', () => {})).listen(port, '127.0.0.1');
  await once(server, 'listening');
  await until(() => transitions.length === 2, 'up');
  assert.deepEqual({ ...transitions[1], at: 0 }, { id: of.id, up: true, reason: 'connected', code: undefined, at: 0 });
  const state = (await monitor.states()).get(of.id);
  assert.ok(state?.up && state.probed && state.last?.ok && state.failures >= 3 && state.probes >= 5);
  assert.ok(monitor.alive);
  server.close();
});

test('every kind of check, in the health worker', async () => {
  const { monitor, lines } = start();
  authority('trusted');
  const tls = createTlsServer(certificate('good', 'trusted', 'DNS:shop.example'), (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nfine'));
  });
  const plain = await serve((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nfine'));
  });
  const slow = { interval: 1000, timeout: 1000, rise: 1 };
  const body = { matches: '^fi' };
  const trusting = { serverName: undefined, verify: false, ca: undefined };
  const targets = [
    target({ ...HTTP, ...slow, body }, plain),
    target({ ...HTTP, ...slow, type: 'https', body, tls: trusting }, await listening(tls)),
    target(
      { ...HTTP, ...slow, type: 'https', tls: { ...trusting, verify: true } },
      await listening(createTlsServer(certificate('other', 'trusted', 'DNS:x'))),
    ),
    target({ ...EXEC, ...slow, command: ['/bin/true'] }, 1),
  ].map((one) => ({ ...one, initiallyUp: false }));
  monitor.configure(targets);
  await until(async () => [...(await monitor.states()).values()].every(({ probed }) => probed), 'all are probed');
  const states = await monitor.states();
  assert.deepEqual(
    targets.map(({ id }) => states.get(id)?.last?.reason),
    ['status 200', 'status 200', 'unable to verify the first certificate', 'exit status 0'],
  );
  assert.deepEqual(lines, []);
});

test('a reload keeps the state of unchanged targets', async () => {
  const { monitor, transitions } = start();
  const [kept, gone, fresh] = [
    target(FAST, await serve(() => {})),
    target(FAST, await closedPort()),
    target(FAST, await closedPort()),
  ];
  monitor.configure([kept, gone]);
  await until(async () => (await probes(monitor, kept)) >= 3, 'probes');
  const before = await probes(monitor, kept);
  monitor.configure([{ ...kept, initiallyUp: false, label: 'other' }, fresh]);
  await until(() => transitions.some(({ id }) => id === fresh.id), 'the new one is probed');
  const states = await monitor.states();
  assert.deepEqual(Array.from(states.values(), ({ id }) => id).sort(), [kept.id, fresh.id].sort());
  assert.ok((states.get(kept.id)?.probes ?? 0) >= before);
  assert.ok(!transitions.some(({ id }) => id === kept.id));
  monitor.configure([]);
  assert.equal((await monitor.states()).size, 0);
});

test('a new initial state replaces the old one only before the first result', async () => {
  const { monitor, transitions } = start();
  // The first result is far away.
  const guessed = target({ ...FAST, interval: 3_600_000 }, await closedPort());
  const found = target({ ...FAST, rise: 1, fall: 1 }, await closedPort());
  monitor.configure([
    { ...guessed, initiallyUp: false },
    { ...found, initiallyUp: true },
  ]);
  await until(() => transitions.some(({ id }) => id === found.id), 'the other one is down');
  monitor.configure([guessed, found].map((one) => ({ ...one, initiallyUp: true })));
  assert.deepEqual([monitor.state(guessed.id)?.up, monitor.state(found.id)?.up], [true, false]);
  const states = await monitor.states();
  assert.deepEqual([states.get(guessed.id)?.up, states.get(found.id)?.up], [true, false]);
});

test('saved states decide the initial state, and consecutive results continue', async () => {
  const { monitor, transitions } = start();
  const [down, tired] = [target(FAST, await serve(() => {})), target({ ...FAST, interval: 2000 }, await closedPort())];
  const last = { at: Date.now() - 10, ok: false, reason: 'x', latency: 1 };
  const past = (id: string, up: boolean, streak: number): TargetState => ({
    id,
    up,
    streak,
    since: 5,
    probed: true,
    last,
    probes: 7,
    failures: 7,
  });
  monitor.configure(
    [down, tired],
    new Map([past(down.id, false, 0), past(tired.id, true, 2)].map((state) => [state.id, state])),
  );
  assert.equal(monitor.state(down.id)?.up, false);
  assert.equal(monitor.state(tired.id)?.up, true);
  await until(() => transitions.length >= 2, 'both turn');
  assert.equal(transitions.find(({ id }) => id === tired.id)?.up, false, 'the third consecutive failure');
  const state = (await monitor.states()).get(tired.id);
  assert.equal(state?.probes, 8);
});

test('a health worker that dies is replaced, without transitions', async () => {
  const { monitor, transitions, lines } = start();
  const before = new Set(checkers());
  const [up, down] = [target({ ...FAST, fall: 5 }, await serve(() => {})), target(FAST, await closedPort())];
  monitor.configure([up, down]);
  await until(() => transitions.length === 1, 'down');
  for (let round = 0; round < 2; round++) {
    const [pid] = checkers().filter((each) => !before.has(each));
    assert.ok(pid);
    process.kill(pid, 'SIGKILL');
    await until(() => lines.length > round, 'the line in the log');
    assert.ok((await monitor.states()).get(up.id)?.up, 'states are kept meanwhile');
    await until(() => checkers().some((each) => !before.has(each) && each !== pid), 'a new one');
    const probed = await probes(monitor, up);
    await until(async () => (await probes(monitor, up)) > probed + 3, 'it probes');
  }
  assert.match(lines[0] ?? '', /^the health worker ended \(SIGKILL\): restarting it$/);
  assert.deepEqual(
    transitions.map(({ id, up: to }) => [id, to]),
    [[down.id, false]],
  );
});

test('a restarted health worker continues the count of failures', async () => {
  const { monitor, transitions } = start();
  const before = new Set(checkers());
  let asked = 0;
  const port = await serve((socket) => {
    socket.once('data', () => {
      asked++;
      socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
    });
  });
  const of = target({ ...HTTP, interval: 2500, timeout: 2000, fall: 3 }, port);
  monitor.configure([of]);
  await until(() => monitor.state(of.id)?.streak === 2, 'two failures', 20_000);
  const [pid = 0] = checkers().filter((each) => !before.has(each));
  process.kill(pid, 'SIGKILL');
  await until(() => transitions.length === 1, 'down', 20_000);
  assert.deepEqual([asked, transitions[0]?.up, transitions[0]?.reason], [3, false, 'status 503, wanted 200-299']);
});

test('a health worker that was stopped for a while takes no target down', async () => {
  const { monitor, transitions } = start();
  const before = new Set(checkers());
  // Slow enough that probes are under way whenever it is stopped, and answered meanwhile.
  const port = await serve((socket) => {
    socket.once('data', () => setTimeout(() => socket.end('HTTP/1.1 200 OK\r\n\r\n'), 60));
  }, '0.0.0.0');
  const check: Check = { ...HTTP, interval: 200, timeout: 200, fall: 1 };
  const targets = Array.from({ length: 30 }, (_, i) => target(check, port, `127.0.0.${i + 1}`));
  monitor.configure(targets);
  await until(async () => (await probes(monitor, targets[0] as Target)) > 2, 'probes');
  const [pid = 0] = checkers().filter((each) => !before.has(each));
  for (let round = 0; round < 3; round++) {
    process.kill(pid, 'SIGSTOP');
    await pause(400);
    process.kill(pid, 'SIGCONT');
    await pause(300);
  }
  assert.deepEqual(transitions, []);
  assert.ok(await probes(monitor, targets[0] as Target));
});

test('a health worker that is killed again and again is a stop until one has run for a while', {
  timeout: 90_000,
}, async () => {
  const { monitor } = start();
  const reasons: (string | undefined)[] = [];
  monitor.onStop((stop) => reasons.push(stop?.reason));
  const before = new Set(checkers());
  const of = target(FAST, await serve(() => {}));
  monitor.configure([of]);
  const own = () => checkers().filter((each) => !before.has(each))[0];
  for (let round = 0; round < 2; round++) {
    await until(async () => own() !== undefined && (await probes(monitor, of)) > 0, 'probes');
    const pid = own() as number;
    process.kill(pid, 'SIGKILL');
    await until(() => own() !== pid, 'its end');
  }
  await until(() => (monitor.checksStop?.restarts ?? 0) === 2, 'the second restart');
  assert.deepEqual(reasons, ['the health worker ended (SIGKILL)']);
  assert.ok(Math.abs((monitor.checksStop?.since ?? 0) - Date.now()) < 20_000);
  await until(() => monitor.checksStop === undefined, 'the end of the stop', 40_000);
  assert.deepEqual([reasons.length, reasons[1], monitor.alive], [2, undefined, true]);
});

test('the health worker and its helper ignore signals and end with the daemon, even if it is killed', async () => {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'monitor-host.ts');
  const host = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  after(() => host.kill('SIGKILL'));
  await once(host.stdout, 'data');
  const [checker = 0] = checkers(host.pid);
  await until(() => children(checker).length > 0, 'the exec helper');
  const [helper = 0] = children(checker);
  await until(() => children(helper).length > 0, 'a program');
  const [program = 0] = children(helper);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) {
    process.kill(checker, signal);
    process.kill(helper, signal);
  }
  await pause(200);
  assert.ok([checker, helper, program].every((pid) => existsSync(`/proc/${pid}`)));
  host.kill('SIGKILL');
  const gone = (pid: number): boolean =>
    !existsSync(`/proc/${pid}`) || /\) Z /.test(execFileSync('cat', [`/proc/${pid}/stat`], { encoding: 'latin1' }));
  await until(() => [checker, helper, program].every(gone), 'all of them end');
});

test('stop ends a worker with 10,000 targets', async () => {
  const { monitor, transitions } = start();
  const before = new Set(checkers());
  const port = await closedPort();
  const check: Check = { ...TCP, interval: 60_000 };
  const targets = Array.from({ length: 10_000 }, (_, i) => target(check, port, `127.1.${i >> 8}.${i & 255}`));
  const exec = target({ ...EXEC, command: ['/bin/true'], interval: 100, timeout: 100 }, 1);
  monitor.configure([...targets, exec]);
  const states = await monitor.states();
  assert.equal(states.size, 10_001);
  const [pid = 0] = checkers().filter((each) => !before.has(each));
  await monitor.stop();
  assert.ok(!existsSync(`/proc/${pid}`));
  assert.deepEqual(
    transitions.filter(({ up }) => up),
    [],
  );
  monitor.configure(targets);
  assert.equal(checkers().filter((each) => !before.has(each)).length, 0, 'nothing starts after that');
});
