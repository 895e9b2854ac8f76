// SPDX-License-Identifier: MIT
// lab: --smp 1
//
// Loading and unloading the toa module while 200 connections at a time come and go; afterwards no entry and no memory
// may be left. An error in the guest's kernel log fails the run.
//
// One CPU, because loading and unloading rewrite the first bytes of functions that other CPUs may be running, which
// crashes QEMU's multi-threaded emulation: a stock 6.1 kernel without our module crashed within seconds when two CPUs
// called getsockname() and tracefs put a probe on inet_getname and took it off again, and did not with `thread=single`
// (QEMU 7.2). On one CPU, soft interrupts and preemption still occur at any point.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type Answer, ask, Caller, loaded, mode, Rig, run, stats, until } from './rig.ts';

const full = process.env.LVSD_COUNTS === 'full';
const reloads = full ? 200 : 20;
const parallel = 200;
const connections = full ? 20_000 : 1_000;
const port = 7001;
const trust = 'trust=10.9.0.0/24';

const rig = new Rig();
const later = promisify(execFile);

before(async () => {
  if (loaded()) run('rmmod', 'toa');
  run('modprobe', 'toa', trust);
  await rig.start();
  await rig.serve(port);
});

after(async () => {
  if (loaded()) run('rmmod', 'toa');
  await rig.stop();
});

/** Keeps `parallel` connections, each for about `hold` ms, while `more()` is true; passes every answer to `check`. */
async function load(more: () => boolean, hold: number, check: (answer: Answer) => void): Promise<void> {
  const worker = async (index: number) => {
    while (more()) {
      const caller = new Caller(mode.good, port, `10.7.${index % 7}.${(index % 250) + 1}`);
      check(await caller.greeting());
      if (hold > 0) await new Promise((resolve) => setTimeout(resolve, hold * (0.5 + Math.random())));
      await caller.close();
    }
  };
  await Promise.all(Array.from({ length: parallel }, (_, index) => worker(index)));
}

/** Kernel memory that a leak at every load would increase: unreclaimable slabs and per-CPU memory. */
function kernelMemory(): number {
  const meminfo = readFileSync('/proc/meminfo', 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? Number.NaN);
  return field('SUnreclaim') + field('Percpu');
}

test(`${connections} connections, ${parallel} at a time: each reports its own client, no probe is missed`, async () => {
  let left = connections;
  let wrong = 0;
  await load(
    () => left-- > 0,
    0,
    ({ client, accept, getpeername }) => {
      if (accept !== client || getpeername !== client) wrong += 1;
    },
  );
  assert.equal(wrong, 0);
  await until(() => stats().entries === 0, 'no entry is left');
  const { probe_missed, toa_not_kept, syn_recv_sock_toa, syn_recv_sock_no_toa } = stats();
  assert.deepEqual(
    { probe_missed, toa_not_kept, syn_recv_sock_toa, syn_recv_sock_no_toa },
    { probe_missed: 0, toa_not_kept: 0, syn_recv_sock_toa: connections, syn_recv_sock_no_toa: 0 },
  );
});

test(`unloaded and loaded ${reloads} times under load: connections continue, no memory leaks`, async () => {
  let running = true;
  let answers = 0;
  const strange: Answer[] = [];
  const check = (answer: Answer) => {
    answers += 1;
    // Depending on whether the module was loaded, it is one of these two addresses, never another.
    const known = (seen: string) => seen === answer.client || /^10\.9\.0\.254:\d+$/.test(seen);
    if (!known(answer.accept) || !known(answer.getpeername)) strange.push(answer);
  };
  // The connections are held for a while, since opening them one after the other would take all of an emulated CPU.
  const traffic = load(() => running, 10_000, check);
  const held = Array.from({ length: 50 }, (_, i) => new Caller(mode.good, port, `10.7.200.${i + 1}`));
  for (const caller of held) await caller.greeting();
  let before = 0;
  try {
    for (let i = 0; i < reloads; i += 1) {
      // The first rounds fill caches of the kernel; after them, kernel memory must not grow.
      if (i === 5) before = kernelMemory();
      await later('nice', ['-n', '-20', 'rmmod', 'toa']);
      await later('nice', ['-n', '-20', 'modprobe', 'toa', trust]);
    }
  } finally {
    running = false;
    await traffic;
  }
  const grown = kernelMemory() - before;
  assert.deepEqual(strange, []);
  assert.ok(answers > reloads, `only ${answers} connections in ${reloads} reloads`);
  // One load allocates about 2 MB for its probes alone.
  assert.ok(grown < 10_000, `kernel memory grew by ${grown} kB in ${reloads - 5} reloads`);

  // Connections older than the module keep the local address as their peer.
  for (const caller of held) {
    caller.socket.write('x');
    assert.match(await caller.line(), /^10\.9\.0\.254:\d+$/);
    await caller.close();
  }
  const answer = await ask(mode.good, port, '10.7.1.1');
  assert.equal(answer.accept, answer.client);
  await until(() => stats().entries === 0, 'no entry is left');
  assert.equal(stats().probe_missed, 0);
});
