// SPDX-License-Identifier: MIT
// The state machine of a virtual router: every phase with every event, and the rows of docs/vrrp.md that need a
// history.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ADDRESS_TAKEN_AWAY,
  downTime,
  faultsOf,
  initialState,
  NO_SOURCE,
  type Step,
  step,
} from '../../../src/vrrp/machine.ts';
import { downInterval, effectivePriority, skewTime } from '../../../src/vrrp/timing.ts';
import type { Action, Advert, Event, Settings, State } from '../../../src/vrrp/types.ts';

const SECOND = 1_000_000;
const NOW = 1000 * SECOND;

const SETTINGS: Settings = {
  version: 3,
  priority: 100,
  interval: SECOND,
  downAfter: 3,
  preempt: true,
  preemptDelay: 0,
  startDelay: 0,
  answerLower: true,
};
const OWN = Uint8Array.of(10, 0, 0, 5);
const LOWER = Uint8Array.of(10, 0, 0, 4);
const HIGHER = Uint8Array.of(10, 0, 0, 6);

/** Down interval of the settings: 3 s and 156/256 s. */
const DOWN = 3_609_375;
const SKEW = DOWN - 3 * SECOND;

const advert = (priority: number, more: Partial<Advert> = {}): Event => ({
  kind: 'advert',
  advert: { priority, interval: SECOND, source: LOWER, at: NOW, ...more },
});

const states = {
  init: initialState(SETTINGS, OWN),
  backup: started(SETTINGS),
  master: elected(SETTINGS),
  fault: step(started(SETTINGS), { kind: 'causes', causes: ['no carrier'] }, NOW).state,
};

/** A backup that was started 10 s ago and heard its master just now. */
function started(settings: Settings): State {
  const { state } = step(initialState({ ...settings, startDelay: 0 }, OWN), { kind: 'start' }, NOW - 10 * SECOND);
  const master = advert(200, { source: HIGHER, interval: settings.interval });
  return { ...step(state, master, NOW).state, settings };
}

/** A master that took over 10 s ago and sent its last advert 0.5 s ago. */
function elected(settings: Settings): State {
  const backup = step(initialState(settings, OWN), { kind: 'start' }, NOW - 100 * SECOND).state;
  const master = step(backup, { kind: 'tick' }, NOW - 10 * SECOND).state;
  assert.equal(master.phase, 'master');
  return { ...master, sent: NOW - SECOND / 2, deadline: { kind: 'advert', at: NOW + SECOND / 2 } };
}

/** Actions in short: `send 100`, `place virtual`, `state backup>master`. */
function brief(action: Action): string {
  switch (action.do) {
    case 'send':
      return `send ${action.priority}`;
    case 'place':
    case 'withdraw':
      return `${action.do} ${action.addresses}`;
    case 'sync':
      return `sync ${action.role}`;
    case 'announce':
      return `announce ${action.why}`;
    case 'report':
      return action.event === 'state' ? `state ${action.from}>${action.to}` : action.event;
    case 'count':
      return `count ${action.counter}`;
    case 'restore':
      return `restore ${action.addresses.length}`;
    case 'replace':
      return 'replace';
  }
}

/** The result of an event in short: phase, deadline relative to now, actions. */
function told({ state, actions }: Step, now = NOW): string {
  const deadline = state.deadline ? `${state.deadline.kind} ${state.deadline.at - now}` : 'none';
  return [state.phase, deadline, ...actions.map(brief)].join(', ');
}

const TAKE_OVER = 'send 100, place local, sync master, place virtual, announce takeover, state backup>master';
const RELEASE = 'send 0, withdraw virtual, withdraw local, sync backup, send 0';
const UNCHANGED = {
  init: 'init, none',
  backup: `backup, down ${DOWN}`,
  master: `master, advert ${SECOND / 2}`,
  fault: 'fault, none',
};

/** Every event in every phase; where a phase is missing, nothing changes. */
const PRODUCT: { name: string; event: Event; expect: Partial<Record<keyof typeof states, string>> }[] = [
  {
    name: 'start',
    event: { kind: 'start' },
    expect: { init: `backup, down ${DOWN}, sync backup, state init>backup` },
  },
  {
    name: 'stop',
    event: { kind: 'stop' },
    expect: {
      backup: 'init, none, state backup>init',
      master: `init, none, ${RELEASE}, state master>init`,
      fault: 'init, none, state fault>init',
    },
  },
  {
    name: 'advert of priority 0 from the master',
    event: advert(0, { source: HIGHER }),
    expect: {
      backup: `backup, down ${SKEW}, count priority-zero-received`,
      master: `master, advert ${SECOND}, send 100, count priority-zero-received`,
    },
  },
  {
    name: 'advert of priority 0 from another router',
    event: advert(0),
    expect: {
      backup: `backup, down ${DOWN}, count stranger`,
      master: `master, advert ${SECOND}, send 100, count priority-zero-received`,
    },
  },
  {
    name: 'advert of a higher priority',
    event: advert(101, { interval: 2 * SECOND }),
    expect: {
      backup: `backup, down ${6 * SECOND + 1_218_750}, interval`,
      master: `backup, down ${6 * SECOND + 1_218_750}, withdraw virtual, withdraw local, sync backup, state master>backup, interval`,
    },
  },
  {
    name: 'advert of the same priority, higher address',
    event: advert(100, { source: HIGHER }),
    expect: {
      master: `backup, down ${DOWN}, withdraw virtual, withdraw local, sync backup, state master>backup`,
    },
  },
  {
    name: 'advert of the same priority, lower address',
    event: advert(100),
    expect: { master: `master, advert ${SECOND}, send 100, announce contest, contested, count contested` },
  },
  {
    name: 'advert of a lower priority',
    event: advert(99),
    expect: { master: `master, advert ${SECOND}, send 100, announce contest, contested, count contested` },
  },
  {
    name: 'own advert',
    event: advert(100, { source: OWN }),
    expect: {
      init: 'init, none, count self',
      backup: `backup, down ${DOWN}, count self`,
      master: `master, advert ${SECOND / 2}, count self`,
      fault: 'fault, none, count self',
    },
  },
  { name: 'tick before the deadline', event: { kind: 'tick' }, expect: {} },
  {
    name: 'fault',
    event: { kind: 'causes', causes: ['eth1: no carrier'] },
    expect: {
      backup: 'fault, none, state backup>fault',
      master: `fault, none, ${RELEASE}, state master>fault`,
    },
  },
  {
    name: 'no cause of a fault',
    event: { kind: 'causes', causes: [] },
    expect: { fault: `backup, down ${DOWN}, announce source, sync backup, state fault>backup` },
  },
  {
    name: 'lower priority',
    event: { kind: 'priority', priority: 50 },
    expect: {
      backup: `backup, down ${3 * SECOND + 804_687}`,
      master: `master, advert ${SECOND}, send 50`,
    },
  },
  { name: 'same priority', event: { kind: 'priority', priority: 100 }, expect: {} },
  {
    name: 'the same configuration',
    event: { kind: 'configure', settings: SETTINGS, priority: 100, addresses: false },
    expect: {},
  },
  {
    name: 'other addresses',
    event: { kind: 'configure', settings: SETTINGS, priority: 100, addresses: true },
    expect: { master: `master, advert ${SECOND}, replace, send 100` },
  },
  {
    name: 'another interval: version 3 backups follow their master',
    event: { kind: 'configure', settings: { ...SETTINGS, interval: 2 * SECOND }, priority: 100, addresses: false },
    expect: { master: `master, advert ${2 * SECOND}, send 100` },
  },
  {
    name: 'another source address',
    event: { kind: 'source', source: HIGHER },
    expect: { master: `master, advert ${SECOND}, send 100` },
  },
  {
    name: 'no source address',
    event: { kind: 'source', source: undefined },
    expect: { backup: 'fault, none, state backup>fault', master: `fault, none, ${RELEASE}, state master>fault` },
  },
  {
    name: 'a stall longer than the down interval',
    event: { kind: 'stalled', by: DOWN + 1 },
    expect: { master: `master, advert ${SECOND}, send 100, announce contest` },
  },
  { name: 'a short stall', event: { kind: 'stalled', by: DOWN }, expect: {} },
  {
    name: 'a lost address',
    event: { kind: 'address-lost', addresses: ['10.0.0.100', '10.0.0.101', '10.0.0.102'] },
    expect: { master: `master, advert ${SECOND / 2}, restore 3, address-restored` },
  },
  {
    name: 'a changed link',
    event: { kind: 'link-changed' },
    expect: { master: `master, advert ${SECOND}, send 100, announce takeover` },
  },
  {
    name: 'yield',
    event: { kind: 'yield', hold: 0 },
    expect: { master: `backup, down ${4 * DOWN}, ${RELEASE}, state master>backup` },
  },
  { name: 'ready', event: { kind: 'ready' }, expect: {} },
  { name: 'a new carrier', event: { kind: 'carrier', since: NOW }, expect: {} },
  { name: 'permission of a group that it did not ask for', event: { kind: 'permit' }, expect: {} },
  {
    name: 'a group that lost its role',
    event: { kind: 'release', reason: 'inside has a master of its own' },
    expect: { master: `backup, down ${DOWN}, ${RELEASE}, state master>backup` },
  },
  {
    name: 'a fault of another member of the group',
    event: { kind: 'group-fault', cause: 'inside: no carrier' },
    expect: {
      backup: 'fault, none, state backup>fault',
      master: `fault, none, ${RELEASE}, state master>fault`,
    },
  },
];

for (const { name, event, expect } of PRODUCT) {
  test(`every phase: ${name}`, () => {
    for (const [phase, state] of Object.entries(states)) {
      const wanted = expect[phase as keyof typeof states] ?? UNCHANGED[phase as keyof typeof states];
      assert.equal(told(step(state, event, NOW)), wanted, phase);
    }
  });
}

test('intervals are those of keepalived', () => {
  assert.equal(downInterval(3, 100, SECOND, 3), 3_609_375);
  assert.equal(downInterval(2, 100, SECOND, 3), 3_609_375);
  assert.equal(downInterval(3, 100, 100_000, 3), 360_937);
  assert.equal(skewTime(3, 100, 100_000), 60_937);
  assert.equal(skewTime(2, 100, 2 * SECOND), 609_375, 'version 2 counts in seconds, whatever the interval');
});

test('weights move the priority within 1 to 254; an owner stays one', () => {
  assert.deepEqual(
    [effectivePriority(100, [-50, 20]), effectivePriority(100, [-253]), effectivePriority(200, [100])],
    [70, 1, 254],
  );
  assert.equal(effectivePriority(255, [-50]), 255);
});

test('a backup whose master is silent takes over: advert, local addresses, sync, addresses, announcement', () => {
  const taken = step(states.backup, { kind: 'tick' }, NOW + DOWN);
  assert.equal(told(taken, NOW + DOWN), `master, advert ${SECOND}, ${TAKE_OVER}`);
  const report = taken.actions.at(-1);
  assert.ok(report?.do === 'report' && report.reason === 'no advert for 3609 ms');
});

test('a master keeps its period when its timer is late, and starts a new one when it missed a whole interval', () => {
  const at = NOW + SECOND / 2;
  assert.equal(told(step(states.master, { kind: 'tick' }, at + 300), at), `master, advert ${SECOND}, send 100`);
  const late = at + 2 * SECOND;
  assert.equal(told(step(states.master, { kind: 'tick' }, late), late), `master, advert ${SECOND}, send 100`);
});

test('without preemption a lower master is left alone', () => {
  const backup = started({ ...SETTINGS, preempt: false });
  assert.equal(told(step(backup, advert(50), NOW + SECOND), NOW + SECOND), `backup, down ${DOWN}`);
});

test('with preemption the down timer goes on under a lower master', () => {
  assert.equal(told(step(states.backup, advert(50), NOW + SECOND), NOW), `backup, down ${DOWN}`);
});

test('a preemption is called off when the priority falls to that of the master, or by a reload without preemption', () => {
  const heard = NOW + 2 * SECOND;
  const about = step(states.backup, advert(50, { at: heard }), heard).state;
  assert.equal(about.deadline?.at, NOW + DOWN);
  const lowered = step(about, { kind: 'priority', priority: 50 }, heard + SECOND).state;
  assert.deepEqual(lowered.deadline, { kind: 'down', at: heard + downInterval(3, 50, SECOND, 3) });
  const above = step(about, { kind: 'priority', priority: 51 }, heard + SECOND).state;
  assert.deepEqual(above.deadline, { kind: 'down', at: NOW + downInterval(3, 51, SECOND, 3) });
  const settings = { ...SETTINGS, preempt: false };
  const reload = { kind: 'configure', settings, priority: 100, addresses: false } as const;
  assert.deepEqual(step(about, reload, heard + SECOND).state.deadline, { kind: 'down', at: heard + DOWN });
});

test('a lower priority does not delay a takeover from a master that has resigned', () => {
  const heard = step(states.backup, advert(50), NOW + SECOND).state;
  const resigned = step(heard, advert(0), NOW + SECOND).state;
  const skew = (priority: number) => skewTime(3, priority, SECOND);
  assert.equal(resigned.deadline?.at, NOW + SECOND + skew(100));
  const lowered = step(resigned, { kind: 'priority', priority: 50 }, NOW + SECOND).state;
  assert.equal(lowered.deadline?.at, NOW + SECOND + skew(50));
});

test('a delayed preemption waits from the first advert of the lower master on', () => {
  let state = started({ ...SETTINGS, preemptDelay: 5 * SECOND });
  for (let second = 1; second <= 12; second++) {
    const now = NOW + second * SECOND;
    state = step(state, advert(50, { at: now }), now).state;
    const since = Math.min(second, 5);
    assert.equal(state.deadline?.at, NOW + since * SECOND + DOWN, `second ${second}`);
  }
});

test('a higher master in between starts the preemption delay anew', () => {
  let state = started({ ...SETTINGS, preemptDelay: 5 * SECOND });
  state = step(state, advert(50), NOW).state;
  state = step(state, advert(200), NOW + SECOND).state;
  assert.equal(state.preemptAt, undefined);
});

test('before it is ready, a backup does not preempt, but takes over from a silent master', () => {
  const state = { ...states.backup, ready: false };
  const held = step(state, advert(50), NOW + SECOND);
  assert.equal(told(held, NOW + SECOND), `backup, down ${DOWN}`);
  assert.equal(step(held.state, { kind: 'tick' }, NOW + SECOND + DOWN).state.phase, 'master');
  const ready = step(held.state, { kind: 'ready' }, NOW + SECOND).state;
  assert.equal(told(step(ready, advert(50), NOW + 2 * SECOND), NOW + SECOND), `backup, down ${DOWN}`);
});

test('a start delay comes before the down interval, and holds preemption back', () => {
  const delayed = { ...SETTINGS, startDelay: 5 * SECOND };
  const { state } = step(initialState(delayed, OWN), { kind: 'start' }, NOW);
  assert.equal(state.deadline?.at, NOW + 5 * SECOND + DOWN);
  assert.equal(step(state, advert(50), NOW + SECOND).state.deadline?.at, NOW + SECOND + DOWN);
  const owner = step(initialState({ ...delayed, priority: 255 }, OWN), { kind: 'start' }, NOW);
  assert.equal(owner.state.phase, 'backup');
});

test('without a start delay of its own, it waits three intervals after a carrier that is younger than 10 s', () => {
  const { startDelay: _, ...settings } = SETTINGS;
  const wait = (age: number, priority = 100) => {
    const fresh = initialState({ ...settings, priority }, OWN);
    const known = step(fresh, { kind: 'carrier', since: NOW - age }, NOW).state;
    const { state } = step(known, { kind: 'start' }, NOW);
    return [state.phase, state.deadline?.at];
  };
  assert.deepEqual(wait(10 * SECOND), ['backup', NOW + DOWN]);
  assert.deepEqual(wait(10 * SECOND - 1), ['backup', NOW + 3 * SECOND + DOWN]);
  assert.deepEqual(wait(0, 255), ['master', NOW + SECOND], 'an owner does not wait');
});

test('a member of a group asks for permission instead of taking over, until it hears a master', () => {
  const settings = { ...SETTINGS, grouped: true };
  const backup = started(settings);
  assert.equal(backup.defers, true);
  const asks = step(backup, { kind: 'tick' }, NOW + DOWN);
  assert.equal(told(asks, NOW + DOWN), `backup, down ${DOWN}`);
  assert.deepEqual([asks.state.wants, asks.state.defers], [true, false]);
  const heard = step(asks.state, advert(200), NOW + DOWN).state;
  assert.deepEqual([heard.wants, heard.defers], [false, true]);
  assert.equal(step(heard, { kind: 'permit' }, NOW + DOWN).state.phase, 'backup');
  assert.equal(step(asks.state, { kind: 'permit' }, NOW + DOWN).state.phase, 'master');
  const owner = step(initialState({ ...settings, priority: 255 }, OWN), { kind: 'start' }, NOW);
  assert.equal(owner.state.phase, 'backup', 'an owner too');
});

test('an owner without start delay is master at once', () => {
  const owner = step(initialState({ ...SETTINGS, priority: 255 }, OWN), { kind: 'start' }, NOW);
  assert.equal(owner.state.phase, 'master');
  assert.deepEqual(owner.actions[0], { do: 'send', priority: 255 });
});

test('of two owners the one with the lower address yields and counts as 254', () => {
  const settings = { ...SETTINGS, priority: 255 };
  const master = step(initialState(settings, OWN), { kind: 'start' }, NOW).state;
  const stays = step(master, advert(255, { source: LOWER }), NOW + SECOND);
  assert.equal(told(stays, NOW), `master, advert ${2 * SECOND}, send 255, announce contest, two-owners`);
  const yields = step(master, advert(255, { source: HIGHER }), NOW + SECOND).state;
  assert.equal(yields.phase, 'backup');
  const resigned = step(yields, advert(0, { source: HIGHER }), NOW + 1.5 * SECOND).state;
  const again = step(resigned, { kind: 'tick' }, NOW + 2 * SECOND);
  assert.deepEqual(again.actions[0], { do: 'send', priority: 254 });
});

test('a master answers at most once in a quarter of its interval', () => {
  const first = step(states.master, advert(50), NOW);
  const soon = step(first.state, advert(50, { at: NOW + 200_000 }), NOW + 200_000);
  assert.equal(told(soon, NOW), `master, advert ${SECOND}, count contested`);
  const zero = step(first.state, advert(0, { at: NOW + 200_000 }), NOW + 200_000);
  assert.equal(told(zero, NOW), `master, advert ${SECOND}, count priority-zero-received`);
  const later = step(soon.state, advert(50, { at: NOW + 250_000 }), NOW + 250_000);
  assert.ok(later.actions.some((action) => action.do === 'send'));
});

test('RFC 5798: a lower router is not answered', () => {
  const state = elected({ ...SETTINGS, answerLower: false });
  assert.equal(told(step(state, advert(50), NOW)), `master, advert ${SECOND / 2}, count contested`);
});

test('adverts that waited longer than an interval are not answered', () => {
  const old = advert(50, { at: NOW - SECOND - 1 });
  assert.equal(told(step(states.master, old, NOW)), `master, advert ${SECOND / 2}, count late`);
});

test('without preemption, a new master that hears an older one gives way', () => {
  const settings = { ...SETTINGS, preempt: false };
  const backup = step(initialState(settings, OWN), { kind: 'start' }, NOW - 10 * SECOND).state;
  const master = step(backup, { kind: 'tick' }, NOW - SECOND).state;
  assert.equal(step(master, advert(50), NOW).state.phase, 'backup');
  assert.equal(step(elected(settings), advert(50), NOW).state.phase, 'master');
});

test('without preemption, a master that stalled gives way to the one elected meanwhile', () => {
  const master = elected({ ...SETTINGS, preempt: false });
  const heard = step(master, advert(50, { at: NOW - SECOND / 4 }), NOW + 8 * SECOND);
  assert.equal(heard.state.phase, 'master');
  const after = step(heard.state, { kind: 'stalled', by: 8 * SECOND }, NOW + 8 * SECOND);
  assert.equal(after.state.phase, 'backup');
  assert.equal(step(master, { kind: 'stalled', by: 8 * SECOND }, NOW).state.phase, 'master', 'nobody was heard');
});

test('an address that is removed three times in 10 s is a fault, which ends after 30 s', () => {
  let state = states.master;
  for (const second of [0, 4]) {
    const kept = step(
      state,
      { kind: 'address-lost', addresses: ['10.0.0.100', '10.0.0.101', '10.0.0.102'] },
      NOW + second * SECOND,
    );
    assert.equal(kept.state.phase, 'master');
    state = kept.state;
  }
  const now = NOW + 9 * SECOND;
  const failed = step(state, { kind: 'address-lost', addresses: ['10.0.0.100', '10.0.0.101', '10.0.0.102'] }, now);
  assert.equal(told(failed, now), `fault, recover ${30 * SECOND}, ${RELEASE}, state master>fault`);
  assert.deepEqual(faultsOf(failed.state), [ADDRESS_TAKEN_AWAY]);
  assert.equal(step(failed.state, { kind: 'tick' }, now + 30 * SECOND).state.phase, 'backup');
  const slow = step(
    state,
    { kind: 'address-lost', addresses: ['10.0.0.100', '10.0.0.101', '10.0.0.102'] },
    NOW + 10 * SECOND,
  );
  assert.equal(slow.state.phase, 'master');
});

test('a fault ends when its last cause has gone', () => {
  let state = step(states.fault, { kind: 'causes', causes: ['no carrier', 'eth1 is down'] }, NOW).state;
  state = step(state, { kind: 'source', source: undefined }, NOW).state;
  assert.deepEqual(faultsOf(state), ['no carrier', 'eth1 is down', NO_SOURCE]);
  state = step(state, { kind: 'causes', causes: ['eth1 is down'] }, NOW).state;
  state = step(state, { kind: 'source', source: OWN }, NOW).state;
  assert.equal(state.phase, 'fault');
  const recovered = step(state, { kind: 'causes', causes: [] }, NOW);
  assert.equal(recovered.state.phase, 'backup');
  const report = recovered.actions.at(-1);
  assert.ok(report?.do === 'report' && report.reason === 'recovered from: eth1 is down');
});

test('causes that came before the start keep an instance in fault from its start on', () => {
  const { state } = step(initialState(SETTINGS, OWN), { kind: 'causes', causes: ['eth1 is down'] }, NOW);
  assert.equal(state.phase, 'init');
  assert.equal(told(step(state, { kind: 'start' }, NOW)), 'fault, none, state init>fault');
});

test('an instance without a source address waits for one', () => {
  const { state } = step(initialState(SETTINGS, undefined), { kind: 'start' }, NOW);
  assert.deepEqual([state.phase, faultsOf(state)], ['fault', [NO_SOURCE]]);
  assert.equal(step(state, { kind: 'source', source: OWN }, NOW).state.phase, 'backup');
});

test('a backup that rises above its master counts the silence from its last advert', () => {
  const now = NOW + SECOND / 2;
  const raised = step(states.backup, { kind: 'priority', priority: 220 }, now).state;
  assert.equal(raised.deadline?.at, NOW + downInterval(3, 220, SECOND, 3));
  const delayed = { ...states.backup, settings: { ...SETTINGS, preemptDelay: SECOND } };
  const held = step(delayed, { kind: 'priority', priority: 220 }, now).state;
  assert.equal(held.deadline?.at, NOW + DOWN + downInterval(3, 220, SECOND, 3) - DOWN);
});

test('a priority that falls below another never moves the deadline before now', () => {
  const late = { ...states.backup, deadline: { kind: 'down', at: NOW + 1000 } } as const;
  assert.equal(step(late, { kind: 'priority', priority: 254 }, NOW).state.deadline?.at, NOW);
});

test('a reload without a change leaves a late timer alone', () => {
  const event: Event = { kind: 'configure', settings: SETTINGS, priority: 100, addresses: false };
  const { state, actions } = step(states.backup, event, NOW + DOWN + 1000);
  assert.equal(state.deadline?.at, NOW + DOWN);
  assert.deepEqual(actions, []);
});

test('version 2 keeps its own interval, and starts its timer anew when that changes', () => {
  const settings = { ...SETTINGS, version: 2 } as const;
  const backup = started(settings);
  const heard = step(backup, advert(200, { interval: 5 * SECOND }), NOW).state;
  assert.equal(heard.masterInterval, SECOND);
  const changed = { ...settings, interval: 2 * SECOND };
  const event: Event = { kind: 'configure', settings: changed, priority: 100, addresses: false };
  const { state } = step(heard, event, NOW + SECOND);
  assert.equal(state.deadline?.at, NOW + SECOND + downTime(state));
  assert.equal(downTime(state), 6 * SECOND + SKEW);
});

test('adverts of a short interval and of priority 0 move the addresses once in an own interval, then once in a second', () => {
  for (const interval of [SECOND, SECOND / 10]) {
    let state = elected({ ...SETTINGS, interval });
    let takeovers = 0;
    const apply = (event: Event, at: number) => {
      const result = step(state, event, at);
      takeovers += Number(result.state.phase === 'master' && state.phase !== 'master');
      state = result.state;
    };
    const foreign = (priority: number, at: number) =>
      apply(advert(priority, { source: HIGHER, interval: SECOND / 100, at }), at);
    for (let at = NOW; at < NOW + 20 * SECOND; at += SECOND / 80) {
      if (state.deadline !== undefined && state.deadline.at <= at) apply({ kind: 'tick' }, at);
      foreign(state.phase === 'master' ? 200 : 0, at);
    }
    assert.ok(takeovers >= 10 && takeovers <= 22, `${takeovers} takeovers in 20 s`);
  }
});

test('a master that dies after it took over is replaced after the down interval, as before', () => {
  const fallen = step(states.master, advert(200, { source: HIGHER }), NOW).state;
  const late = step(fallen, { kind: 'tick' }, NOW + DOWN);
  assert.equal(late.state.phase, 'master');
  // It resigns at once: after the skew time, but not before an own interval has passed.
  const resigned = step(fallen, advert(0, { source: HIGHER }), NOW + SECOND / 10).state;
  const tick = step(resigned, { kind: 'tick' }, NOW + SECOND / 10 + SKEW);
  assert.equal(told(tick), `backup, down ${SECOND}`);
  const later = step(fallen, advert(0, { source: HIGHER }), NOW + SECOND).state;
  assert.equal(step(later, { kind: 'tick' }, NOW + SECOND + SKEW).state.phase, 'master');
});

test('a master with a longer interval is reported when it is first heard, with the time that a takeover takes', () => {
  const long = advert(200, { source: HIGHER, interval: 40.95 * SECOND });
  const heard = step(states.backup, long, NOW);
  const [report] = heard.actions;
  assert.deepEqual(report, {
    do: 'report',
    event: 'interval',
    reason: 'the master advertises every 40.95 s, this node every 1 s: once it is silent, a takeover takes 147.80 s',
  });
  assert.deepEqual(step(heard.state, long, NOW + 1).actions, []);
  assert.match(told(step(states.master, long, NOW)), /^backup, .*state master>backup, interval$/);
  assert.deepEqual(step(states.backup, advert(200, { source: HIGHER, interval: SECOND / 2 }), NOW).actions, []);
});
