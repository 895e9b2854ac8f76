// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// The VRRP process of one of two routers is killed, stopped, ended: the other takes over at once, nothing is left
// behind.
import assert from 'node:assert/strict';
import { mkdtempSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { native } from '../../../src/base/native.ts';
import { EventLog } from '../../../src/control/events/log.ts';
import { Reporter } from '../../../src/daemon/control/reporter.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { writeLastMessages } from '../../../src/daemon/state/vrrp-file.ts';
import { Vrrp } from '../../../src/daemon/vrrp.ts';
import { VrrpProcess } from '../../../src/vrrp/process.ts';
import { recordingLog } from '../../support/recording-log.ts';
import { config } from '../../support/specs.ts';
import { MODES, Pair } from './pair.ts';

const FAST = MODES.find(({ name }) => name === 'version 3, 100 ms') ?? assert.fail();
const pair = new Pair(FAST, 30);
const logged: string[] = [];
const log = { error: (text: string) => logged.push(text), warn() {}, info() {}, debug() {} };
const home = openSync('/proc/self/ns/net', 'r');
let vrrp: VrrpProcess;

/** How often the other router has become master. */
const takeovers = () => pair.other.messages.filter((one) => one.type === 'state' && one.to === 'master').length;

/** Messages of priority 0 that the other router has accepted. */
const resignations = async () => (await pair.other.status()).counters['priority-zero-received'] ?? 0;

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

test('it has only the capabilities that it needs, in all its threads', () => {
  const tasks = `/proc/${vrrp.pid}/task`;
  const threads = readdirSync(tasks).map((thread) => readFileSync(`${tasks}/${thread}/status`, 'utf8'));
  const field = (name: string) => new Set(threads.map((one) => new RegExp(`^${name}:\\s+(\\S+)$`, 'm').exec(one)?.[1]));
  assert.ok(threads.length > 1);
  // CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_SYS_NICE 23.
  assert.deepEqual(field('CapPrm'), new Set(['0000000000803000']));
  assert.deepEqual(field('NoNewPrivs'), new Set(['1']));
});

test('a killed process: the daemon sends priority 0, removes the address, starts another', async () => {
  const [before, zeros] = [takeovers(), await resignations()];
  process.kill(vrrp.pid ?? assert.fail(), 'SIGKILL');
  // A reload at this moment must not start a second process.
  await until('the end of the process', () => vrrp.pid === undefined);
  vrrp.configure([pair.lvsd.configuration(150)]);
  assert.equal(vrrp.pid, undefined);
  await until('a takeover', () => takeovers() === before + 1);
  assert.equal(await resignations(), zeros + 1, 'sent in the name of the killed process');
  assert.match(logged.join('\n'), /the VRRP process ended \(SIGKILL\): restarting it/);
  await pair.settles(pair.lvsd);
});

test('a process that hangs is killed after a second', async () => {
  await pair.settles(pair.lvsd);
  const [before, hung] = [takeovers(), vrrp.pid ?? assert.fail()];
  process.kill(hung, 'SIGSTOP');
  await until('a takeover', () => takeovers() === before + 1);
  await until('another process', () => vrrp.pid !== undefined && vrrp.pid !== hung, 30_000);
  await pair.settles(pair.lvsd);
  assert.match(logged.join('\n'), /the VRRP process did not respond for 1 s: killing it/);
});

test('every thread of the process runs with SCHED_RR', async () => {
  await pair.settles(pair.lvsd);
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
  await pair.settles(pair.lvsd);
  const zeros = await resignations();
  await vrrp.stop();
  await pair.settles(pair.other);
  assert.ok((await resignations()) > zeros, 'it sent priority 0');
});

test('a reload renews what the process leaves with the daemon, for other addresses and other names', async () => {
  // A process without a daemon that would clean up after it, here and in the next test.
  const node = pair.lvsd;
  await node.start(150);
  await pair.settles(node);
  /** Virtual router ID and number of addresses of the message that was left last under a name. */
  const left = (name: string) => {
    const last = node.messages.findLast((one) => one.type === 'last-messages' && one.instance === name);
    const [message] = last?.type === 'last-messages' ? last.messages : [];
    return message && [...Buffer.from(message.message, 'base64')].filter((_, at) => at === 1 || at === 3).join();
  };
  const isMaster = (name: string) => {
    const last = node.messages.findLast((one) => one.type === 'role' && one.instance === name);
    return last?.type === 'role' && last.master;
  };
  await until('one address', () => left('edge') === '51,1');
  const one = node.configuration(150);
  const [first] = one.addresses;
  const more = { ...one, addresses: [first ?? assert.fail(), { address: '10.9.0.101', prefix: 32 }] };
  node.send({ type: 'configure', instances: [more] });
  await until('two addresses', () => left('edge') === '51,2');
  const other = { ...one, virtualRouterId: 52, addresses: [{ address: '10.9.0.102', prefix: 32 }] };
  node.send({ type: 'configure', instances: [one, { ...other, name: 'inside' }] });
  await until('two masters', () => left('edge') === '51,1' && left('inside') === '52,1');
  node.send({
    type: 'configure',
    instances: [
      { ...one, name: 'inside' },
      { ...other, name: 'edge' },
    ],
  });
  await until('exchanged names', () => left('inside') === '51,1' && left('edge') === '52,1');
  assert.ok(isMaster('inside') && isMaster('edge'));
  node.configure(150);
  await until('one name', () => left('edge') === '51,1' && left('inside') === undefined);
});

test('lvsd withdraw does it for a process that was killed together with lvsd', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-withdraw-'));
  const state = join(dir, 'state.json');
  const deposits = () => pair.lvsd.messages.flatMap((one) => (one.type === 'last-messages' ? [one.messages] : []));
  // The deposit may arrive after the address has been seen.
  await until('the deposit of a master', () => (deposits().at(-1) ?? []).length > 0);
  await writeLastMessages(state, deposits().at(-1) ?? []);
  process.kill(pair.lvsd.pid, 'SIGKILL');
  await until('both to have the address', () => pair.holds(pair.other) && pair.holds(pair.lvsd));
  const [before, zeros] = [(await pair.other.status()).counters.sent ?? 0, await resignations()];
  const lvsd = join(import.meta.dirname, '../../../dist/bin/lvsd.cjs');
  const words = [process.execPath, lvsd, 'withdraw', '--state', state, '--socket', join(dir, 'control.sock')];
  const withdraw = () => pair.lvsd.namespace.run(words, { accept: 'any' });
  assert.deepEqual(withdraw(), {
    status: 0,
    stdout: 'sent 1 advert of priority 0\naddresses of VRRP removed: 1\n',
    stderr: '',
  });
  await pair.settles(pair.other);
  assert.equal(await resignations(), zeros + 1);
  assert.ok(((await pair.other.status()).counters.sent ?? 0) > before, 'answered by the master that there is');
  assert.deepEqual(withdraw(), { status: 0, stdout: '', stderr: '' });
});

test('an lvsd whose file has no virtual router any more removes what a killed one left', async () => {
  await pair.lvsd.start(150);
  await pair.settles(pair.lvsd);
  process.kill(pair.lvsd.pid, 'SIGKILL');
  await until('both to have the address', () => pair.holds(pair.other) && pair.holds(pair.lvsd));
  const lines = recordingLog();
  const daemon = new Vrrp({
    runtime: new RuntimeState(),
    states: async () => new Map(),
    reporter: new Reporter(() => lines, new EventLog()),
    log: lines,
    onRole: () => {},
    saveLastMessages: async () => {},
  });
  daemon.configure(config([]));
  await pair.settles(pair.other);
  await until('the log', () => lines.lines.length > 0);
  assert.deepEqual(lines.lines, ['info VRRP: addresses of a killed lvsd with virtual routers removed: 1']);
  await daemon.stop();
});
