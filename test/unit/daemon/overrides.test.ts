// SPDX-License-Identifier: MIT
// Overrides: the resulting state and weight, changes of the file, and saving.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { EventLog } from '../../../src/control/events/log.ts';
import { overrideMessage, overrideNoteText } from '../../../src/daemon/control/messages.ts';
import { Reporter } from '../../../src/daemon/control/reporter.ts';
import { desiredState } from '../../../src/daemon/model/desired-state.ts';
import { authorOf, type Override, type OverrideKind } from '../../../src/daemon/model/overrides.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { type VirtualService, virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import { writeState } from '../../../src/daemon/state/file.ts';
import { jsonParts } from '../../../src/daemon/state/json-parts.ts';
import { readOverrides, writeOverrides } from '../../../src/daemon/state/overrides-file.ts';
import { OverridesSaver } from '../../../src/daemon/state/overrides-saver.ts';
import { overridesPath, readSaved, reportNotes } from '../../../src/daemon/state/saved.ts';
import { readDaemonState } from '../../../src/daemon/state/schema.ts';
import { fromState, toState } from '../../../src/daemon/state/snapshot.ts';
import { config, realServer, service } from '../../support/specs.ts';

const folder = mkdtempSync(join(tmpdir(), 'lvsd-overrides-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const FIRST = '10.31.0.1:80';
const two = (name = 'web') => config([service(name, [realServer(1, { weight: 2 }), realServer(2)])]);
const on = (server: string, kind?: OverrideKind, weight?: number): Override => ({
  service: 'web',
  server,
  kind,
  weight,
  virtuals: virtualServices(two()).map(({ key }) => key),
});

function world() {
  const runtime = new RuntimeState();
  runtime.configure(virtualServices(two()), 0);
  const web = () => runtime.services[0] as VirtualService;
  const first = () => web().realServers[0] as VirtualService['realServers'][number];
  const set = (up: boolean) => runtime.setTarget(first().targets[0]?.id ?? '', up);
  const state = () => runtime.serverState(web(), first());
  /** Weights in the kernel, by the last byte of the address. */
  const weights = () =>
    Object.fromEntries(
      (desiredState(two(), runtime).services[0]?.destinations ?? []).map((one) => [one.address[3], one.weight]),
    );
  return { runtime, web, first, set, state, weights };
}

test('disabled: down whatever the check result; enabled: as the check result', () => {
  const { runtime, set, state, weights } = world();
  assert.equal(runtime.setOverride(on(FIRST, 'disable'), true), true);
  set(true);
  assert.deepEqual([state(), weights()], ['down', { 2: 1 }]);
  assert.equal(runtime.setOverride(on(FIRST, 'disable'), false), true);
  assert.deepEqual([state(), weights()], ['up', { 1: 2, 2: 1 }]);
});

test('forced up: up whatever the check result; it replaces disabled, and enable ends either', () => {
  const { runtime, set, state, weights } = world();
  set(false);
  assert.equal(state(), 'down');
  runtime.setOverride(on(FIRST, 'disable'), true);
  runtime.setOverride(on(FIRST, 'up'), true);
  assert.deepEqual([state(), weights(), runtime.overrides.length], ['up', { 1: 2, 2: 1 }, 1]);
  runtime.setOverride(on(FIRST, 'disable'), false);
  assert.deepEqual([state(), runtime.overrides], ['down', []]);
});

test('drained: weight 0 even if forced up; a drained server that is down is down', () => {
  const { runtime, set, state, weights } = world();
  runtime.setOverride(on(FIRST), true);
  set(false);
  assert.equal(state(), 'down');
  runtime.setOverride(on(FIRST, 'up'), true);
  assert.deepEqual([state(), weights()], ['draining', { 1: 0, 2: 1 }]);
  runtime.setOverride(on(FIRST), false);
  assert.deepEqual([state(), weights()], ['up', { 1: 2, 2: 1 }]);
});

test('a weight counts for the kernel and for the quorum, and survives a drain', () => {
  const { runtime, web, weights } = world();
  assert.equal(runtime.weight(web()), 3);
  runtime.setOverride(on(FIRST, 'weight', 7), true);
  assert.deepEqual([runtime.weight(web()), weights()], [8, { 1: 7, 2: 1 }]);
  assert.equal(runtime.setOverride(on(FIRST, 'weight', 7), true), false);
  assert.equal(runtime.setOverride(on(FIRST, 'weight', 5), true), true);
  runtime.setOverride(on(FIRST), true);
  assert.deepEqual(weights(), { 1: 0, 2: 1 });
  runtime.setOverride(on(FIRST), false);
  assert.deepEqual(weights(), { 1: 5, 2: 1 });
  runtime.setOverride(on(FIRST, 'weight'), false);
  assert.deepEqual([runtime.weight(web()), weights()], [3, { 1: 2, 2: 1 }]);
});

test('an override follows its service to another name, by the virtual service', () => {
  const { runtime, state } = world();
  runtime.setOverride(on(FIRST), true);
  const preview = runtime.preview(virtualServices(two('shop')), 0);
  assert.equal(preview.overrides[0]?.service, 'shop');
  assert.equal(runtime.overrides[0]?.service, 'web');
  runtime.configure(virtualServices(two('shop')), 0);
  assert.deepEqual([state(), runtime.overrides[0]?.service], ['draining', 'shop']);
  assert.deepEqual(runtime.takeOverrideNotes().map(overrideNoteText), [
    `shop: the override "drain" of real server ${FIRST} was moved along with the service, whose name was web`,
  ]);
  assert.deepEqual(runtime.takeOverrideNotes(), []);
});

test('an override of a server that leaves the file is reported, listed, can be ended, and applies when the server returns', () => {
  const { runtime, state } = world();
  runtime.setOverride(on(FIRST), true);
  const without = config([service('web', [realServer(2)])]);
  runtime.configure(virtualServices(without), 0);
  assert.deepEqual(
    runtime.orphans.map(({ server }) => server),
    [FIRST],
  );
  assert.deepEqual(
    runtime.takeOverrideNotes().map(({ change }) => change),
    ['orphaned'],
  );
  runtime.configure(virtualServices(config([service('web', [realServer(2), realServer(3)])])), 0);
  assert.deepEqual(runtime.takeOverrideNotes(), []);
  runtime.configure(virtualServices(two()), 0);
  assert.deepEqual([state(), runtime.orphans], ['draining', []]);
  assert.deepEqual(
    runtime.takeOverrideNotes().map(({ change }) => change),
    ['returned'],
  );
  runtime.configure(virtualServices(config([])), 0);
  assert.deepEqual(runtime.find(FIRST), [{ service: 'web', server: FIRST }]);
  assert.deepEqual(runtime.find(FIRST, 'other'), []);
  runtime.setOverride({ service: 'web', server: FIRST }, false);
  assert.deepEqual([runtime.overrides, runtime.orphans, runtime.find(FIRST)], [[], [], []]);
});

const FULL: Override = { ...on(FIRST, 'weight', 7), by: 'alice', at: 1000, reason: 'CHG-1' };

test('state file: an older lvsd reads only the drains, a newer one all overrides', () => {
  const { runtime } = world();
  runtime.setOverride(on(FIRST), true);
  runtime.setOverride(FULL, true);
  const state = JSON.parse([...jsonParts(toState(runtime, new Set(), new Map()))].join(''));
  assert.deepEqual(
    state.overrides.map(({ server }: Override) => server),
    [FIRST],
  );
  const { overrides } = fromState(readDaemonState(state));
  assert.deepEqual(
    overrides.map(({ kind, weight, by }) => [kind, weight, by]),
    [
      [undefined, undefined, undefined],
      ['weight', 7, 'alice'],
    ],
  );
  assert.throws(
    () => readDaemonState({ ...state, settings: [{ ...FULL, weight: 70_000 }] }),
    /settings\[0\]\.weight is not a weight/,
  );
  // Of a later version.
  const { settings, unknown } = readDaemonState({ ...state, settings: [{ ...FULL, kind: 'sleep' }, FULL] });
  assert.deepEqual([settings, unknown], [[FULL], [`${FULL.service} ${FULL.server} (sleep)`]]);
  assert.throws(() => readDaemonState({ ...state, settings: [{ kind: 'sleep' }] }), /settings\[0\]\.service is not/);
});

test('the file of overrides is used after a reboot; one that is damaged or that others may write is ignored', async () => {
  const path = join(folder, 'var', 'overrides.json');
  assert.deepEqual({ ...(await readOverrides(path)), reason: '' }, { overrides: undefined, reason: '', missing: true });
  await writeOverrides(path, [FULL]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"another"'));
  const read = await readOverrides(path);
  assert.deepEqual(read.overrides, [FULL]);
  chmodSync(path, 0o666);
  assert.match(
    'reason' in (await readOverrides(path)) ? JSON.stringify(await readOverrides(path)) : '',
    /may write to it/,
  );
  chmodSync(path, 0o600);
  writeFileSync(path, `${readFileSync(path, 'utf8')} `);
  assert.match(JSON.stringify(await readOverrides(path)), /damaged/);
});

test('its overrides replace those of the state file, which are used without it', async () => {
  const [state, overrides] = [join(folder, 'state.json'), join(folder, 'overrides.json')];
  const { runtime } = world();
  runtime.setOverride(on(FIRST), true);
  await writeState(state, toState(runtime, new Set(), new Map()));
  const servers = async () => (await readSaved({ state, overrides })).saved.overrides.map(({ kind = 'drain' }) => kind);
  assert.deepEqual(await servers(), ['drain']);
  await writeOverrides(overrides, [FULL]);
  assert.deepEqual(await servers(), ['weight']);
  await writeOverrides(overrides, []);
  assert.deepEqual(await servers(), []);
  // It could not be written when the state file was: the disk was full.
  await pause(20);
  await writeState(state, toState(runtime, new Set(), new Map()));
  assert.deepEqual(await servers(), ['drain']);
  writeFileSync(overrides, 'x');
  const { notes } = await readSaved({ state, overrides });
  assert.deepEqual(await servers(), ['drain']);
  assert.match(
    notes[0]?.text ?? '',
    /^file of overrides .* ignored, those of the state file are in effect: it is not a state file$/,
  );
});

/** A saver of a file of overrides, with its reports. */
function saverOf(path: string, ignored?: string) {
  const events = new EventLog();
  const saver = new OverridesSaver({
    path,
    reporter: new Reporter(() => SILENT_LOG, events),
    overrides: () => [FULL],
    ignored,
  });
  return { saver, states: () => events.since().map(({ state }) => state) };
}

test('overrides that cannot be saved are saved later, without another override', { timeout: 30_000 }, async () => {
  const folderOf = join(folder, 'full');
  // A file in place of the folder: ENOTDIR or EEXIST, as every other error of the system.
  writeFileSync(folderOf, '');
  const path = join(folderOf, 'overrides.json');
  const { saver, states } = saverOf(path);
  const reason = await saver.save();
  assert.match(reason ?? '', /^E/);
  assert.deepEqual(
    [states(), saver.problems.map((one) => [one.problem, one.reason])],
    [['overrides not saved'], [['not saved', reason]]],
  );
  rmSync(folderOf);
  // A retry keeps no process running; this test waits for it.
  while (saver.problems.length > 0) await pause(50);
  assert.deepEqual((await readOverrides(path)).overrides, [FULL]);
  assert.deepEqual(states(), ['overrides not saved', 'overrides saved']);
  await saver.close();
});

test('a file of overrides that was ignored is kept beside the new one', async () => {
  const path = join(folder, 'kept', 'overrides.json');
  await writeOverrides(path, []);
  writeFileSync(path, 'precious');
  const { saver } = saverOf(path, 'it is not a state file');
  assert.deepEqual(
    saver.problems.map(({ problem, reason, keptAs }) => [problem, reason, keptAs]),
    [['ignored', 'it is not a state file', undefined]],
  );
  assert.equal(await saver.save(), undefined);
  const [{ keptAs = '' } = {}] = saver.problems;
  assert.equal(readFileSync(keptAs, 'utf8'), 'precious');
  assert.deepEqual((await readOverrides(path)).overrides, [FULL]);
  assert.equal(await saver.save(), undefined);
  assert.equal(saver.problems.length, 1);
  assert.equal(readdirSync(join(folder, 'kept')).length, 2);
});

test('a file that was ignored is an event', async () => {
  const events = new EventLog();
  reportNotes([{ level: 'warn', file: '/x', text: 'ignored: r', reason: 'r' }], new Reporter(() => SILENT_LOG, events));
  assert.deepEqual(
    events.since().map(({ kind, state, file, reason }) => [kind, state, file, reason]),
    [['file.ignored', 'file ignored', '/x', 'r']],
  );
});

test('the path of the overrides: the default only with the default state file', () => {
  assert.equal(overridesPath({ state: '/run/lvsd/state.json' }), '/var/lib/lvsd/overrides.json');
  assert.equal(overridesPath({ state: '/tmp/s' }), undefined);
  assert.equal(overridesPath({ state: '/tmp/s', overrides: '/tmp/o' }), '/tmp/o');
});

test('events have the author and the reason', () => {
  assert.deepEqual(overrideMessage(FULL, true), {
    text: `real server ${FIRST} set to weight 7 by the operator (alice: CHG-1)`,
    fields: { service: 'web', address: FIRST, state: 'weight set', reason: 'CHG-1', weight: 7, by: 'alice' },
  });
  assert.equal(overrideMessage(FULL, false).text, `real server ${FIRST} has the weight of the file again`);
});

test('only a process of root may name another author', () => {
  assert.equal(authorOf('alice', 0), 'alice');
  assert.equal(authorOf(undefined, 0), 'root');
  assert.equal(authorOf('alice', 1000), 'uid 1000');
});

test('a real server is found by its name, address:port and bare address, however it is written in the file', () => {
  const runtime = new RuntimeState();
  const named = realServer(1, { name: 'web1' });
  const plain = realServer(2, { name: '10.31.0.2' });
  const [one, other] = [80, 81].map((port) => realServer(3, { name: `10.31.0.3:${port}`, port }));
  assert.ok(one && other);
  runtime.configure(virtualServices(config([service('web', [named, plain, one, other])])), 0);
  const found = (server: string) => runtime.find(server).map((it) => it.server);
  for (const word of ['web1', '10.31.0.1:80', '10.31.0.1']) assert.deepEqual(found(word), ['10.31.0.1:80']);
  for (const word of ['10.31.0.2', '10.31.0.2:80']) assert.deepEqual(found(word), ['10.31.0.2:80']);
  assert.deepEqual(found('10.31.0.3'), ['10.31.0.3:80', '10.31.0.3:81']);
  assert.deepEqual(found('10.31.0.3:81'), ['10.31.0.3:81']);
  assert.deepEqual(found('10.31.0.9'), []);
});
