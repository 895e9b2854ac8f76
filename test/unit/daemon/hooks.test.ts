// SPDX-License-Identifier: MIT
// Hooks: order and bounds of the queue, one at a time for each service, the facts, real programs, time-outs, and a helper
// that dies.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Hooks } from '../../../src/config/types.ts';
import { HookRunner, type RunProgram } from '../../../src/daemon/hooks/hooks.ts';
import { type HookEvent, HookQueue } from '../../../src/daemon/hooks/queue.ts';
import { virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import { success } from '../../../src/health/verdict.ts';
import { recordingLog } from '../../support/recording-log.ts';
import { config, realServer, service } from '../../support/specs.ts';

// Not below /tmp, which others may write to: hooks are run from trusted paths only.
const scratch = mkdtempSync(join(homedir(), '.lvsd-hooks-'));
const script = join(scratch, 'hook');
const out = join(scratch, 'out');
after(() => rmSync(scratch, { recursive: true }));

const write = (text: string) => {
  rmSync(out, { force: true });
  writeFileSync(script, `#!/bin/sh\n${text}\n`);
  chmodSync(script, 0o755);
};

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < end, `waited too long: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const lines = () => (existsSync(out) ? readFileSync(out, 'utf8').split('\n').slice(0, -1) : []);

function site(hooks: Partial<Hooks>, names = ['shop']) {
  const all = { up: [script], down: [script], quorum: [script], user: undefined, timeout: 10_000, ...hooks };
  const servers = [realServer(1, { name: 'web1' }), realServer(2), realServer(3)];
  const services = virtualServices(config(names.map((name) => service(name, servers, { hooks: all }))));
  const change = (index: number, up: boolean, reason = 'status 503', of = 0) => {
    const [one, server] = [services[of], services[of]?.realServers[index]];
    assert.ok(one && server);
    return [one, server, { id: '', up, reason, at: 0 }] as const;
  };
  return { services, change };
}

const event = (subject: string, label: string): HookEvent => ({
  ...{ subject, label, command: [script], user: undefined, timeout: 1000, environment: {} },
});

test('the queue is bounded, keeps the order and the last state of each subject', () => {
  const queue = new HookQueue();
  for (let n = 0; n < 5000; n++) queue.add(event(`server ${n % 3}`, `${n}`));
  queue.add(event('quorum', 'lost'));
  assert.equal(queue.length, 100);
  const taken = Array.from({ length: 100 }, () => queue.take());
  assert.equal(queue.take(), undefined);
  assert.deepEqual(
    taken.slice(-4).map((one) => one?.event.label),
    ['4997', '4998', '4999', 'lost'],
  );
  const numbers = taken.slice(0, -1).map((one) => Number(one?.event.label));
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  // Every dropped event is counted.
  assert.equal(
    taken.reduce((sum, one) => sum + (one?.skipped ?? 0), 0),
    5001 - 100,
  );
  for (let n = 0; n < 300; n++) queue.add(event(`server ${n}`, `${n}`));
  assert.equal(queue.length, 300);
});

test('hooks run in order, one at a time for each service, 16 at a time in all', () => {
  const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
  const { change } = site({}, names);
  const running: { label: string; end: () => void }[] = [];
  const run: RunProgram = ({ environment }, ended) => {
    const label = `${environment.LVSD_SERVICE} ${environment.LVSD_SERVER} ${environment.LVSD_STATE}`;
    const one = { label, end: () => ended(success('exit status 0')) };
    running.push(one);
    return { startedAt: 0, stillRunning: () => Promise.resolve(true), stop: one.end };
  };
  const hooks = new HookRunner(recordingLog(), run);
  for (const of of names.keys()) {
    hooks.server(...change(0, false, 'gone', of));
    hooks.server(...change(0, true, 'back', of));
  }
  assert.deepEqual(
    running.map(({ label }) => label),
    names.slice(0, 16).map((name) => `${name} web1 down`),
  );
  const order: string[] = [];
  while (running.length > 0) {
    const [first] = running.splice(0, 1);
    order.push(first?.label ?? '');
    first?.end();
    const busy = running.map(({ label }) => label.split(' ')[0]);
    assert.equal(new Set(busy).size, busy.length);
    assert.ok(busy.length <= 16);
  }
  assert.equal(order.length, 40);
  for (const name of names) assert.ok(order.indexOf(`${name} web1 down`) < order.indexOf(`${name} web1 up`), name);
});

test('programs get the facts in their environment, and nothing else', async () => {
  write(`env | grep -v '^PWD=\\|^SHLVL=\\|^_=' | sort >>${out}; echo end >>${out}`);
  const { change, services } = site({ quorum: undefined });
  const hooks = new HookRunner(recordingLog());
  process.env.NOTIFY_SOCKET = '/run/secret';
  hooks.server(...change(0, false, 'status 503; $(touch x)\nwanted 200\0'));
  await until(() => lines().includes('end'), 'the hook');
  const facts = lines().map((line) => line.replace(/^(LVSD_TIME)=\d{4}-.*Z$/, '$1'));
  assert.deepEqual(facts, [
    'LVSD_ADDRESS=10.31.0.1',
    'LVSD_EVENT=server',
    'LVSD_PORT=80',
    'LVSD_REASON=status 503; $(touch x)',
    'LVSD_SERVER=web1',
    'LVSD_SERVER_WEIGHT=1',
    'LVSD_SERVICE=shop',
    'LVSD_SKIPPED=0',
    'LVSD_STATE=down',
    'LVSD_TIME',
    'LVSD_VIRTUAL=tcp 10.99.0.1:80',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'wanted 200',
    'end',
  ]);
  const [shop] = services;
  assert.ok(shop);
  write(`echo "$LVSD_EVENT $LVSD_STATE $LVSD_WEIGHT $LVSD_NEEDED" >>${out}`);
  const withQuorum = site({});
  hooks.quorum({ service: withQuorum.services[0] ?? shop, up: false, weight: 0 });
  // A service without a command for quorums.
  hooks.quorum({ service: shop, up: true, weight: 1 });
  await until(() => lines().length > 0, 'the hook of the quorum');
  assert.deepEqual(lines(), ['quorum down 0 1']);
  hooks.close();
});

test('a program that hangs is ended with its children, and the next one runs', async () => {
  write(`echo "$LVSD_STATE $$" >>${out}; [ "$LVSD_STATE" = up ] || { trap '' TERM; sleep 1000 & sleep 1000; }`);
  const { change } = site({ timeout: 300 });
  const log = recordingLog();
  const hooks = new HookRunner(log);
  hooks.server(...change(0, false));
  hooks.server(...change(0, true));
  await until(() => lines().length === 2, 'the second hook');
  const [hung = ''] = lines();
  assert.match(hung, /^down /);
  assert.throws(() => execFileSync('pgrep', ['-r', 'R,S,D', '-g', hung.split(' ')[1] ?? '']));
  assert.ok(
    log.lines.some((line) => /shop: hook for down of web1 \(.*\): stopped after its timeout of 300ms/.test(line)),
  );
  hooks.close();
});

test('failures are logged; a program that others may write is not run', async () => {
  write('echo "no such channel" >&2; exit 3');
  const { change } = site({});
  const log = recordingLog();
  const hooks = new HookRunner(log);
  hooks.server(...change(0, false));
  await until(() => log.lines.some((line) => line.includes('exit status 3: no such channel')), 'the failure');
  write(`echo ran >>${out}`);
  chmodSync(script, 0o777);
  hooks.server(...change(0, true));
  await until(() => log.lines.some((line) => line.includes('is writable by others')), 'the refusal');
  assert.deepEqual(lines(), []);
  hooks.close();
});

test('the last state is delivered even if the helper is killed', async () => {
  write(
    `echo "$LVSD_STATE" >>${out}; [ "$LVSD_STATE" = up ] || [ -e ${scratch}/again ] || { touch ${scratch}/again; sleep 1000; }`,
  );
  const { change } = site({});
  const hooks = new HookRunner(recordingLog());
  hooks.server(...change(0, false));
  hooks.server(...change(0, true));
  await until(() => lines().length === 1, 'the first hook');
  const helpers = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const parent = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[1];
        return parent === String(process.pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('exec.cjs');
      } catch {
        return false;
      }
    });
  assert.equal(helpers.length, 1);
  process.kill(Number(helpers[0]), 'SIGKILL');
  await until(() => lines().length === 3, 'both hooks');
  assert.deepEqual(lines(), ['down', 'down', 'up']);
  hooks.close();
});
