// SPDX-License-Identifier: MIT
// Groups: whatever happens to single members, all of them are master or none is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { groupEvents, type Member } from '../../../src/vrrp/group.ts';
import { initialState, ownFaults, step } from '../../../src/vrrp/machine.ts';
import type { Action, Event, Settings } from '../../../src/vrrp/types.ts';

const SECOND = 1_000_000;
const SETTINGS: Settings = {
  version: 3,
  priority: 100,
  interval: SECOND,
  downAfter: 3,
  preempt: true,
  preemptDelay: 0,
  startDelay: 0,
  answerLower: true,
  grouped: true,
};
const OWN = Uint8Array.of(10, 0, 0, 5);
const HIGHER = Uint8Array.of(10, 0, 0, 6);

class Group {
  readonly members: Member[];
  now = 0;
  /** Priorities sent by each member. */
  readonly sent: number[][];

  constructor(names: readonly string[]) {
    this.members = names.map((name) => ({ name, state: initialState(SETTINGS, OWN) }));
    this.sent = names.map(() => []);
    for (const index of names.keys()) this.step(index, { kind: 'start' });
  }

  step(index: number, event: Event): Action[] {
    const actions = this.#one(index, event);
    for (let round = 0; ; round++) {
      assert.ok(round < 10, 'it settles');
      const events = groupEvents(this.members);
      if (events.length === 0) return actions;
      for (const { member, event: next } of events) this.#one(member, next);
    }
  }

  #one(index: number, event: Event): Action[] {
    const member = this.members[index] ?? assert.fail();
    const { state, actions } = step(member.state, event, this.now);
    member.state = state;
    for (const action of actions) if (action.do === 'send') this.sent[index]?.push(action.priority);
    return actions;
  }

  /** Lets time pass, with every timer on time. */
  pass(time: number): void {
    const until = this.now + time;
    for (;;) {
      const due = this.members.map(({ state }) => state.deadline?.at ?? Number.POSITIVE_INFINITY);
      const first = Math.min(...due);
      if (first > until) break;
      this.now = Math.max(this.now, first);
      this.step(due.indexOf(first), { kind: 'tick' });
    }
    this.now = until;
  }

  advert(index: number, priority: number): void {
    this.step(index, { kind: 'advert', advert: { priority, interval: SECOND, source: HIGHER, at: this.now } });
  }

  get phases(): string {
    return this.members.map(({ state }) => state.phase).join(' ');
  }
}

test('all members take over when the last of them may', () => {
  const group = new Group(['edge', 'inside']);
  group.pass(3 * SECOND);
  group.advert(1, 200);
  group.pass(SECOND);
  assert.equal(group.phases, 'backup backup', 'edge may, inside hears a master');
  group.pass(3 * SECOND);
  assert.equal(group.phases, 'master master');
});

test('when one member hears a better master, the others give up with priority 0', () => {
  const group = new Group(['edge', 'inside', 'dmz']);
  group.pass(4 * SECOND);
  assert.equal(group.phases, 'master master master');
  group.advert(1, 200);
  assert.equal(group.phases, 'backup backup backup');
  assert.deepEqual(
    group.sent.map((list) => list.at(-1)),
    [0, 100, 0],
  );
});

test('a fault of one member is a fault of all, and ends with it', () => {
  const group = new Group(['edge', 'inside']);
  group.pass(4 * SECOND);
  group.step(1, { kind: 'causes', causes: ['eth1: no carrier'] });
  assert.equal(group.phases, 'fault fault');
  assert.equal(group.members[0]?.state.groupFault, 'inside: eth1: no carrier');
  group.step(0, { kind: 'causes', causes: ['eth0 is down'] });
  group.step(1, { kind: 'causes', causes: [] });
  assert.equal(group.phases, 'fault fault');
  group.step(0, { kind: 'causes', causes: [] });
  assert.equal(group.phases, 'backup backup');
  group.pass(4 * SECOND);
  assert.equal(group.phases, 'master master');
});

test('after any sequence of events all members are master or none is', () => {
  const members = 3;
  const event = fc.oneof(
    fc.record({ kind: fc.constant('advert' as const), priority: fc.constantFrom(0, 50, 100, 200) }),
    fc.record({
      kind: fc.constant('causes' as const),
      causes: fc.constantFrom([], [], ['eth1 is down'], ['no device eth2', 'eth1 is down']),
    }),
    fc.record({ kind: fc.constant('priority' as const), priority: fc.constantFrom(1, 100, 254) }),
    fc.record({ kind: fc.constant('source' as const), source: fc.constantFrom(OWN, OWN, undefined) }),
    fc.record({ kind: fc.constant('address-lost' as const), addresses: fc.constant(['10.0.0.100']) }),
    fc.record({ kind: fc.constant('stalled' as const), by: fc.constant(10 * SECOND) }),
    fc.constant({ kind: 'yield' as const }),
  );
  const change = fc.record({ member: fc.nat(members - 1), pause: fc.nat(12 * SECOND), event });
  let masters = 0;
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60, size: 'max' }), (changes) => {
      const group = new Group(['edge', 'inside', 'dmz']);
      for (const { member, pause, event: what } of changes) {
        group.pass(pause);
        // As the process does: all members yield.
        if (what.kind === 'yield')
          for (let index = 0; index < members; index++) group.step(index, { kind: 'yield', hold: 0 });
        else if (what.kind === 'advert') group.advert(member, what.priority);
        else group.step(member, what);
        const phases = new Set(group.members.map(({ state }) => state.phase));
        assert.ok(!phases.has('master') || phases.size === 1, group.phases);
        const faulty = group.members.some(({ state }) => ownFaults(state).length > 0);
        assert.equal(phases.has('fault'), faulty, group.phases);
        if (phases.has('master')) masters += 1;
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(masters > 1000, `${masters} times master`);
});
