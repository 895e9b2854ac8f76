// SPDX-License-Identifier: MIT
// A network of VRRP routers in simulated time: the state machines are real, the medium, clocks and pauses are made up.
// Every step is checked against what must hold whatever happens (docs/vrrp.md).
import assert from 'node:assert/strict';
import {
  ADDRESS_TAKEN_AWAY,
  advertisedPriority,
  downTime,
  faultsOf,
  initialState,
  step,
} from '../../src/vrrp/machine.ts';
import { downInterval, SECOND, type Version } from '../../src/vrrp/timing.ts';
import { dependence, type Tracked } from '../../src/vrrp/tracking.ts';
import type { Action, Advert, Event, Settings, State } from '../../src/vrrp/types.ts';
import type { Random } from '../support/random.ts';

/** Latest delivery of an advert, and latest run of a timer after its deadline. */
const DELAY = 2_000;
const LATENESS = 3_000;

interface Router {
  number: number;
  address: Uint8Array;
  state: State;
  track: readonly Tracked[];
  /** Those that are down, of eth0, eth1 and the service shop. */
  down: Set<string>;
  carrierSince: number;
  settings: Settings;
  /** Runs: false between a crash and the next start. */
  running: boolean;
  /** Stopped by a signal until then; adverts wait meanwhile. */
  pausedUntil: number;
  pausedAt: number;
  waiting: Advert[];
  placed: { virtual: boolean; local: boolean };
  sync: 'master' | 'backup';
  /** The latest advert that reached it, by sender, whether it was read or not. */
  arrived: Map<number, Advert>;
  /** The last advert before a priority 0: whoever was heard before that is no longer the master. */
  resigned: number;
  timer: number;
}

type Entry = { at: number; order: number } & (
  | { kind: 'deliver'; to: Router; from: number; advert: Advert }
  | { kind: 'wake'; router: Router; timer: number }
  | { kind: 'call'; call: () => void }
);

/** Faults, each of which lasts for a while. */
const FAULTS = [
  'partition',
  'loss',
  'one way',
  'pause',
  'crash',
  'restart',
  'link',
  'tracked',
  'yield',
  'configure',
  'address lost',
  'link changed',
] as const;

/** The skew time of a high priority is shorter than a late delivery: after one advert, it would take over from a master. */
const downAfterOf = (preempt: boolean, adverts: number) => (preempt ? adverts : Math.max(2, adverts));

export class Network {
  readonly #random: Random;
  readonly #queue = new Queue();
  readonly #routers: Router[];
  readonly #interval: number;
  #now = 0;
  /** Loss in percent of adverts, by sender and receiver. */
  #loss: number[][];
  /** When anything last went wrong or changed. */
  #disturbed = 0;
  #active = 0;
  faults = 0;
  takeovers = 0;
  converged = 0;
  events = 0;

  constructor(random: Random) {
    this.#random = random;
    const version: Version = random.chance(30) ? 2 : 3;
    this.#interval = version === 2 ? SECOND : random.pick([100_000, 100_000, 250_000, SECOND]);
    const count = 2 + random.below(4);
    this.#loss = Array.from({ length: count }, () => Array<number>(count).fill(0));
    const preempt = random.chance(70);
    this.#routers = Array.from({ length: count }, (_, number) => this.#router(number, version, preempt));
    for (const router of this.#routers) this.#start(router, random.below(2 * SECOND));
  }

  #router(number: number, version: Version, preempt: boolean): Router {
    const random = this.#random;
    // Some share a priority, so that addresses decide; one in a while is the owner.
    const owner = number === 0 && preempt && random.chance(10);
    const base = owner ? 255 : random.chance(30) ? 100 : 1 + random.below(254);
    const settings: Settings = {
      version,
      priority: base,
      interval: this.#interval,
      downAfter: random.chance(80) ? 3 : downAfterOf(preempt || owner, 1 + random.below(5)),
      preempt: preempt || owner,
      preemptDelay: random.chance(20) ? random.below(5) * this.#interval : 0,
      startDelay: random.chance(30) ? undefined : random.chance(30) ? random.below(5) * this.#interval : 0,
      answerLower: random.chance(80),
    };
    const address = Uint8Array.of(10, 0, 0, 10 + number);
    return {
      number,
      address,
      state: initialState(settings, address),
      track: [
        { kind: 'interface', name: 'eth1', ...this.#weight() },
        { kind: 'service', name: 'shop', ...this.#weight() },
      ],
      down: new Set(),
      carrierSince: 0,
      settings,
      running: false,
      pausedUntil: 0,
      pausedAt: 0,
      waiting: [],
      placed: { virtual: false, local: false },
      sync: 'backup',
      arrived: new Map(),
      resigned: 0,
      timer: 0,
    };
  }

  /** Runs until `faults` have been injected, and checks convergence whenever it was quiet for long enough. */
  run(faults: number): void {
    while (this.faults < faults) {
      this.#inject();
      // Short gaps mostly; a long one lets everything settle.
      const gap = this.#random.chance(40)
        ? this.#settleTime() + this.#random.below(SECOND)
        : this.#random.below(30) * this.#interval;
      this.#advance(this.#now + 1 + gap);
      if (this.#active === 0 && this.#now - this.#disturbed > this.#settleTime()) this.#checkConverged();
    }
  }

  #after(delay: number, call: () => void): void {
    this.#queue.push({ at: this.#now + delay, kind: 'call', call });
  }

  #advance(until: number): void {
    for (let entry = this.#queue.pop(until); entry !== undefined; entry = this.#queue.pop(until)) {
      this.#now = entry.at;
      this.events += 1;
      if (entry.kind === 'call') entry.call();
      else if (entry.kind === 'deliver') this.#arrive(entry.to, entry.from, entry.advert);
      else if (entry.timer === entry.router.timer) this.#wake(entry.router);
    }
    this.#now = until;
  }

  #awake(router: Router): boolean {
    return router.running && this.#now >= router.pausedUntil;
  }

  #arrive(router: Router, from: number, advert: Advert): void {
    if (!router.running) return;
    const stamped = { ...advert, at: this.#now };
    const previous = router.arrived.get(from);
    if (advert.priority === 0) router.resigned = Math.max(router.resigned, previous?.at ?? 0);
    router.arrived.set(from, stamped);
    router.waiting.push(stamped);
    if (this.#awake(router)) this.#wake(router);
  }

  /** One turn of the event loop: adverts first, then a stall, then the timer. */
  #wake(router: Router): void {
    if (!this.#awake(router)) return;
    for (let advert = router.waiting.shift(); advert !== undefined; advert = router.waiting.shift())
      this.#step(router, { kind: 'advert', advert });
    if (router.pausedUntil > 0) {
      this.#step(router, { kind: 'stalled', by: this.#now - router.pausedAt });
      router.pausedUntil = 0;
    }
    const due = router.state.deadline !== undefined && this.#now >= router.state.deadline.at;
    if (due) this.#step(router, { kind: 'tick' });
    this.#arm(router);
  }

  #arm(router: Router): void {
    router.timer += 1;
    const { deadline } = router.state;
    if (deadline === undefined) return;
    assert.ok(deadline.at >= this.#now, `router ${router.number}: a deadline in the past`);
    const at = deadline.at + this.#random.below(LATENESS);
    this.#queue.push({ at, kind: 'wake', router, timer: router.timer });
  }

  #apply(router: Router, event: Event): void {
    if (!this.#awake(router)) return;
    this.#wake(router);
    this.#step(router, event);
    this.#arm(router);
  }

  #step(router: Router, event: Event): void {
    const before = router.state;
    const { state, actions } = step(before, event, this.#now);
    router.state = state;
    for (const action of actions) this.#carryOut(router, action);
    this.#checkStep(router, before, event, actions);
  }

  #carryOut(router: Router, action: Action): void {
    if (action.do === 'place') router.placed[action.addresses] = true;
    else if (action.do === 'withdraw') router.placed[action.addresses] = false;
    else if (action.do === 'sync') router.sync = action.role;
    else if (action.do === 'send') this.#send(router, action.priority);
  }

  #send(router: Router, priority: number): void {
    const advert = { priority, interval: router.settings.interval, source: router.address, at: 0 };
    for (const other of this.#routers) {
      if (other === router || this.#random.below(100) < (this.#loss[router.number]?.[other.number] ?? 0)) continue;
      const at = this.#now + 1 + this.#random.below(DELAY);
      this.#queue.push({ at, kind: 'deliver', to: other, from: router.number, advert });
    }
  }

  #start(router: Router, delay: number): void {
    this.#disturb(delay, () => {
      router.running = true;
      router.pausedUntil = 0;
      router.waiting = [];
      router.arrived.clear();
      router.state = initialState(router.settings, router.address);
      this.#examine(router);
      this.#apply(router, { kind: 'start' });
    });
  }

  /** A change that ends a disturbance after `delay`. */
  #disturb(delay: number, end: () => void): void {
    this.#active += 1;
    this.#disturbed = this.#now;
    this.#after(delay, () => {
      this.#active -= 1;
      this.#disturbed = this.#now;
      end();
    });
  }

  #inject(): void {
    const random = this.#random;
    const router = random.pick(this.#routers);
    const span = random.pick([1, 2, 5, 10, 20, 60]) * this.#interval + random.below(this.#interval);
    this.faults += 1;
    this.#disturbed = this.#now;
    const { number } = router;
    switch (random.pick(FAULTS)) {
      case 'partition': {
        const sides = this.#routers.map(() => random.below(2));
        this.#setLoss(span, (from, to) => (sides[from] === sides[to] ? 0 : 100));
        break;
      }
      case 'loss': {
        const percent = 5 + random.below(60);
        this.#setLoss(span, () => percent);
        break;
      }
      case 'one way':
        this.#setLoss(span, (from) => (from === number ? 100 : 0));
        break;
      case 'pause':
        this.#pause(router, span);
        break;
      case 'crash':
        this.#crash(router, span);
        break;
      case 'restart':
        if (!this.#awake(router)) break;
        this.#apply(router, { kind: 'stop' });
        this.#crash(router, span);
        break;
      case 'link':
        this.#takeDown(router, 'eth0', span);
        break;
      case 'tracked':
        this.#takeDown(router, random.pick(['eth1', 'shop']), span);
        break;
      case 'yield':
        this.#apply(router, { kind: 'yield', hold: random.below(5) * this.#interval });
        break;
      case 'configure':
        this.#configure(router);
        break;
      case 'address lost':
        this.#apply(router, { kind: 'address-lost', addresses: ['10.0.0.100'] });
        break;
      case 'link changed':
        this.#apply(router, { kind: 'link-changed' });
        break;
    }
  }

  /** The process ends, by itself or killed, and starts again after a while. */
  #crash(router: Router, span: number): void {
    if (!router.running) return;
    // The daemon sends the priority 0 that the process had left with it, and removes the addresses.
    if (router.state.phase === 'master') this.#send(router, 0);
    this.#halt(router);
    this.#start(router, span);
  }

  /** A weight, or none: then it is a fault while it is down. */
  #weight(): { weight?: number } {
    return this.#random.chance(30) ? {} : { weight: this.#random.below(100) - 50 };
  }

  #takeDown(router: Router, name: string, span: number): void {
    router.down.add(name);
    this.#examine(router);
    this.#disturb(span, () => {
      router.down.delete(name);
      if (name === 'eth0') router.carrierSince = this.#now;
      this.#examine(router);
    });
  }

  #dependence({ settings, track, down }: Router) {
    const links = ['eth0', 'eth1'].map((name, index) => ({
      index,
      name,
      loopback: false,
      up: true,
      carrier: !down.has(name),
      hardwareAddress: new Uint8Array(6),
    }));
    const services = new Map([['shop', !down.has('shop')]]);
    return dependence({ interface: 'eth0', priority: settings.priority, track }, links, services);
  }

  /** Tells a router what it depends on, once it is awake. */
  #examine(router: Router): void {
    if (!router.running) return;
    if (!this.#awake(router)) {
      this.#disturb(router.pausedUntil - this.#now + 1, () => this.#examine(router));
      return;
    }
    const { causes, priority } = this.#dependence(router);
    this.#apply(router, { kind: 'carrier', since: router.carrierSince });
    this.#apply(router, { kind: 'causes', causes });
    this.#apply(router, { kind: 'priority', priority });
  }

  #setLoss(span: number, percent: (from: number, to: number) => number): void {
    this.#loss = this.#routers.map(({ number: from }) => this.#routers.map(({ number: to }) => percent(from, to)));
    this.#disturb(span, () => {
      this.#loss = this.#routers.map(() => this.#routers.map(() => 0));
    });
  }

  #pause(router: Router, span: number): void {
    if (!this.#awake(router)) return;
    router.pausedAt = this.#now;
    router.pausedUntil = this.#now + span;
    this.#disturb(span, () => this.#wake(router));
  }

  #halt(router: Router): void {
    router.running = false;
    router.timer += 1;
    router.waiting = [];
    router.placed = { virtual: false, local: false };
    router.sync = 'backup';
    router.state = initialState(router.settings, router.address);
  }

  #configure(router: Router): void {
    if (!this.#awake(router)) return;
    const again = step(
      router.state,
      { kind: 'configure', settings: router.settings, priority: router.state.priority, addresses: false },
      this.#now,
    );
    assert.deepEqual(again.actions, [], 'a reload of the same configuration does nothing');
    assert.deepEqual(again.state, router.state);
    // What is due still follows from the settings before.
    this.#wake(router);
    const downAfter = downAfterOf(router.settings.preempt, 1 + this.#random.below(5));
    const settings = { ...router.settings, downAfter };
    router.settings = settings;
    this.#apply(router, {
      kind: 'configure',
      settings,
      priority: this.#dependence(router).priority,
      addresses: this.#random.chance(50),
    });
  }

  /** An upper bound of the time from the last disturbance to a stable state. */
  #settleTime(): number {
    const slowest = Math.max(
      ...this.#routers.map(({ settings }) => {
        const down = downInterval(settings.version, 1, this.#interval, settings.downAfter);
        return 5 * down + settings.preemptDelay + (settings.startDelay ?? 3 * this.#interval);
      }),
    );
    return slowest + 4 * this.#interval + 31 * SECOND * Number(this.#takenAway());
  }

  #takenAway(): boolean {
    return this.#routers.some(({ state }) => state.deadline?.kind === 'recover');
  }

  #checkConverged(): void {
    const able = this.#routers.filter(({ running, state }) => running && state.phase !== 'fault');
    for (const router of this.#routers)
      if (router.running) {
        const faults = [...this.#dependence(router).causes, ...(router.state.takenAway ? [ADDRESS_TAKEN_AWAY] : [])];
        assert.deepEqual(faultsOf(router.state), faults, `${router.number}: exactly the causes that hold`);
        assert.equal(router.state.phase === 'fault', faults.length > 0, `${router.number}: ${faults.join()}`);
        assert.equal(router.state.priority, this.#dependence(router).priority);
      }
    const masters = able.filter(({ state }) => state.phase === 'master');
    const told = () =>
      JSON.stringify(this.#routers.map(({ state, settings }) => [state.phase, settings.priority, state.priority]));
    assert.equal(masters.length, Math.min(1, able.length), `one master after a quiet time: ${told()}`);
    const [master] = masters;
    if (master === undefined) return;
    this.converged += 1;
    const rank = ({ state }: Router) => advertisedPriority(state, this.#now);
    for (const other of able) {
      assert.ok(
        rank(other) <= rank(master) || !other.settings.preempt,
        `${other.number} should be master instead of ${master.number}: ${told()}`,
      );
    }
  }

  #checkStep(router: Router, before: State, event: Event, actions: Action[]): void {
    const { state, placed } = router;
    const [was, is] = [before.phase === 'master', state.phase === 'master'];
    const fail = (text: string) =>
      assert.fail(`${this.#now} us, router ${router.number}, ${JSON.stringify(event)}: ${text}`);
    if (placed.virtual !== is || placed.local !== is) fail('a master has its addresses, nobody else');
    if (router.sync !== (is ? 'master' : 'backup')) fail('the sync role follows');
    const sent = actions.flatMap((action) => (action.do === 'send' ? [action.priority] : []));
    if (!was && !is && sent.length > 0) fail('only a master sends');
    if (sent.includes(0)) {
      if (!was || is) fail('priority 0 is sent on leaving');
      assert.deepEqual(sent, [0, 0]);
    }
    if (state.phase === 'init') assert.equal(state.deadline, undefined);
    if (event.kind === 'advert' && was && is && sent.length === 0 && state.deadline?.at !== before.deadline?.at)
      fail("a message moved a master's timer");
    if (!was && is) this.#checkTakeover(router, fail);
    if (is) this.#checkTwoMasters(router, fail);
  }

  /** No master that this router should have respected was heard within the down interval, read or not. */
  #checkTakeover(router: Router, fail: (text: string) => void): void {
    this.takeovers += 1;
    const { state, settings } = router;
    const own = advertisedPriority(state, this.#now);
    if (own === 255) return;
    for (const advert of router.arrived.values()) {
      const respected =
        advert.at > router.resigned && advert.priority > 0 && (advert.priority >= own || !settings.preempt);
      const interval = settings.version === 3 ? advert.interval : settings.interval;
      if (respected && this.#now - advert.at < settings.downAfter * interval)
        fail(`took over ${this.#now - advert.at} us after an advert of priority ${advert.priority}`);
    }
  }

  /** Two masters that receive each other's advertisements do not stay for longer than an interval and a delay. */
  #checkTwoMasters(router: Router, fail: (text: string) => void): void {
    if (this.#active > 0) return;
    for (const other of this.#routers) {
      if (other === router || other.state.phase !== 'master' || !this.#awake(other)) continue;
      const since = Math.max(this.#disturbed, router.state.became, other.state.became);
      const longest = this.#interval + DELAY + 2 * LATENESS;
      if (this.#now - since > longest) fail(`two masters for ${this.#now - since} us`);
    }
  }

  /** The shortest and the longest down interval, to be printed with a failure. */
  describe(): string {
    return this.#routers
      .map(
        ({ number, settings, state }) =>
          `${number}: ${settings.priority}, ${settings.interval} us, down ${downTime(state)} us`,
      )
      .join('; ');
  }
}

/** A binary heap, ordered by time, then by insertion. */
class Queue {
  readonly #heap: Entry[] = [];
  #order = 0;

  push(entry: DistributiveOmit<Entry, 'order'>): void {
    const heap = this.#heap;
    this.#order += 1;
    const added = { ...entry, order: this.#order } as Entry;
    let at = heap.length;
    heap.push(added);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!earlier(added, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = added;
  }

  /** The first entry that is due by then. */
  pop(until: number): Entry | undefined {
    const heap = this.#heap;
    const [first] = heap;
    if (first === undefined || first.at > until) return undefined;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1] as Entry, heap[child] as Entry)) child += 1;
      if (!earlier(heap[child] as Entry, last)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

const earlier = (a: Entry, b: Entry) => a.at < b.at || (a.at === b.at && a.order < b.order);
