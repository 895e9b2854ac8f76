// SPDX-License-Identifier: MIT
// lab: --stock
// The VRRP process of one of two routers is killed, stopped, ended: the other takes over at once, nothing is left behind.
import assert from 'node:assert/strict';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { native } from '../../../src/base/native.ts';
import { VrrpProcess } from '../../../src/vrrp/process.ts';
import { MODES, Pair } from './pair.ts';

const FAST = MODES.find(({ name }) => name === 'version 3, 100 ms') ?? assert.fail();
/** Milliseconds: what a backup of priority 100 waits after priority 0, and after silence. */
const SKEW = 61;
const DOWN = 361;

const pair = new Pair(FAST, 30);
const logged: string[] = [];
const log = { error: (text: string) => logged.push(text), warn() {}, info() {}, debug() {} };
const home = openSync('/proc/self/ns/net', 'r');
let vrrp: VrrpProcess;

/** The reason of the other router's latest takeover, once it has made `count` of them. */
function takeover(count: number): Promise<string> {
  return until(`takeover ${count}`, () => {
    const reasons = pair.other.messages.flatMap((one) =>
      one.type === 'state' && one.to === 'master' ? [one.reason] : [],
    );
    return reasons.length === count && reasons.at(-1);
  });
}

const silence = (reason: string) => Number(/^no advert for (\d+) ms$/.exec(reason)?.[1] ?? assert.fail(reason));

before(async () => {
  await pair.other.start(100);
  await pair.settles(pair.other);
  // This process and the children that it starts are the first router from here on.
  native().enterNetns(`/run/netns/${pair.lvsd.namespace.name}`);
  vrrp = new VrrpProcess({ log, onMessage: () => {} });
  vrrp.configure([pair.lvsd.configuration(150)]);
  await pair.settles(pair.lvsd);
});

after(async () => {
  // destroy() ends every process in the pair's namespaces.
  native().enterNetns(`/proc/self/fd/${home}`);
  await pair.destroy();
});

test('a killed process: the daemon sends priority 0, removes the address, starts another', async () => {
  process.kill(vrrp.pid ?? assert.fail(), 'SIGKILL');
  const waited = silence(await takeover(2));
  // One interval may have passed since the last advert.
  assert.ok(waited < DOWN - 50, `${waited} ms of silence; priority 0 makes it ${SKEW} to ${SKEW + 100}`);
  assert.match(logged.join('\n'), /the VRRP process ended \(SIGKILL\): restarting it/);
  await pair.settles(pair.lvsd);
});

test('a process that hangs is killed after a second', async () => {
  const hung = vrrp.pid ?? assert.fail();
  process.kill(hung, 'SIGSTOP');
  await takeover(3);
  await until('another process', () => vrrp.pid !== undefined && vrrp.pid !== hung);
  await pair.settles(pair.lvsd);
  assert.match(logged.join('\n'), /the VRRP process did not respond for 1 s: killing it/);
});

test('every thread of the process runs with SCHED_RR', async () => {
  const pid = vrrp.pid ?? assert.fail();
  // Field 41 of proc_pid_stat(5) is the policy, 40 the priority; field 3 is the first after the name.
  const scheduling = () =>
    readdirSync(`/proc/${pid}/task`).map((thread) => {
      const fields = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1').replace(/.*\) /s, '').split(' ');
      return `${fields[38]} ${fields[37]}`;
    });
  await until('the priority of all threads', () => scheduling().every((text) => text === '2 10'));
  assert.ok(scheduling().length > 4, 'with the threads of V8 and libuv');
});

test('an orderly stop leaves nothing behind', async () => {
  await vrrp.stop();
  const waited = silence(await takeover(4));
  assert.ok(waited < DOWN - 50, `${waited} ms`);
  await pair.settles(pair.other);
});
