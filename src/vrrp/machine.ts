// SPDX-License-Identifier: MIT
/**
 * The state machine of one virtual router (RFC 9568 section 6.4), with faults, delayed preemption and stalls of the own
 * process (docs/vrrp.md has the table). Pure: takes a state, an event and the time, returns a state and actions in their
 * order. The caller arms one timer for `state.deadline` and, when it fires, delivers every received advert before the
 * tick: an advert that waited in a socket must not lead to a takeover.
 */
import { compareBytes } from '../base/addresses.ts';
import { downInterval, OWNER, SECOND } from './timing.ts';
import type { Action, Advert, Event, Settings, State } from './types.ts';

export interface Step {
  state: State;
  actions: Action[];
}

/** Cause of the fault after an address was removed again and again. */
export const ADDRESS_TAKEN_AWAY = 'address removed by another program';
/** Cause of the fault while there is no address to send from. */
export const NO_SOURCE = 'no source address';

/** A carrier that was there for this long delivers frames: switches may block a new port for a while. */
const CARRIER_SETTLED = 10 * SECOND;

const LOSSES = 3;
const LOSS_WINDOW = 10 * SECOND;
const LOSS_RECOVERY = 30 * SECOND;

/** A router that keeps falling back takes over at most once in this time. */
const FLAPS = 3;
const FLAP_WINDOW = 10 * SECOND;
const FLAP_HOLD = SECOND;

/** The state of an instance before its start; not `ready` if something must happen before it preempts. */
export function initialState(settings: Settings, source: Uint8Array | undefined, ready = true): State {
  return {
    phase: 'init',
    settings,
    priority: settings.priority,
    masterInterval: settings.interval,
    deadline: undefined,
    heard: undefined,
    holdUntil: Number.NEGATIVE_INFINITY,
    preemptAt: undefined,
    ready,
    became: Number.NEGATIVE_INFINITY,
    sent: Number.NEGATIVE_INFINITY,
    fallBacks: [],
    answered: Number.NEGATIVE_INFINITY,
    demotedUntil: Number.NEGATIVE_INFINITY,
    causes: [],
    takenAway: false,
    groupFault: undefined,
    wants: false,
    defers: false,
    carrierSince: Number.NEGATIVE_INFINITY,
    source,
    lost: [],
  };
}

/** Applies one event at the time `now`. An event without effect in the current phase returns the same state. */
export function step(state: State, event: Event, now: number): Step {
  switch (event.kind) {
    case 'start':
      return start(state, now);
    case 'stop':
      return stop(state);
    case 'advert':
      return withInterval(state, advert(state, event.advert, now));
    case 'tick':
      return tick(state, now);
    case 'causes':
      return examine(state, { ...state, causes: event.causes }, now);
    case 'carrier':
      return same({ ...state, carrierSince: event.since });
    case 'group-fault':
      return examine(state, { ...state, groupFault: event.cause }, now);
    case 'permit':
      return state.phase === 'backup' && state.wants ? takeOver(state, now, silence(state, now)) : same(state);
    case 'release':
      return giveUp(state, event.reason, now);
    case 'priority':
      return changePriority(state, event.priority, now);
    case 'configure':
      return configure(state, event, now);
    case 'source':
      return changeSource(state, event.source, now);
    case 'stalled':
      return stalled(state, event.by, now);
    case 'address-lost':
      return addressLost(state, event.addresses, now);
    case 'link-changed':
      return state.phase === 'master' ? sendNow(state, now, [{ do: 'announce', why: 'takeover' }]) : same(state);
    case 'yield':
      return giveAway(state, event.hold, now);
    case 'ready':
      return { state: { ...state, ready: true }, actions: [] };
  }
}

/** The priority that it advertises and compares: an owner that yields to another owner counts as 254. */
export function advertisedPriority({ priority, demotedUntil }: State, now: number): number {
  return priority === OWNER && now < demotedUntil ? 254 : priority;
}

/** Silence after which this state, as a backup, takes over. */
export function downTime({ settings, masterInterval, priority }: State): number {
  return downInterval(settings.version, priority, masterInterval, settings.downAfter);
}

/** Every cause of a fault that holds, whatever the phase. */
export function faultsOf(state: State): string[] {
  return [...ownFaults(state), ...(state.groupFault === undefined ? [] : [state.groupFault])];
}

/** Those that do not come from another member of the group. */
export function ownFaults({ causes, takenAway, source }: State): string[] {
  return [...causes, ...(takenAway ? [ADDRESS_TAKEN_AWAY] : []), ...(source === undefined ? [NO_SOURCE] : [])];
}

/** Time after a start or a fault for which it waits before the down interval. */
function startDelay({ settings, carrierSince, priority }: State, now: number): number {
  if (settings.startDelay !== undefined) return settings.startDelay;
  return priority === OWNER || now - carrierSince >= CARRIER_SETTLED ? 0 : 3 * settings.interval;
}

/** A member that neither wants to be master nor hears one. */
const UNDECIDED = { wants: false, defers: false };

const same = (state: State): Step => ({ state, actions: [] });

function start(state: State, now: number): Step {
  if (state.phase !== 'init') return same(state);
  const [fault] = faultsOf(state);
  if (fault !== undefined) return enterFault(state, fault);
  // RFC 9568 section 6.4.1: the owner does not wait for others.
  if (state.priority === OWNER && startDelay(state, now) === 0 && !state.settings.grouped)
    return takeOver(state, now, 'owner of the addresses');
  return waitAsBackup(state, now, 'started');
}

function stop(state: State): Step {
  if (state.phase === 'init') return same(state);
  const actions: Action[] = state.phase === 'master' ? release() : [];
  actions.push(moved(state, 'init', 'stopped'));
  return { state: { ...state, phase: 'init', deadline: undefined, takenAway: false }, actions };
}

function advert(state: State, heard: Advert, now: number): Step {
  if (state.source !== undefined && compareBytes(heard.source, state.source) === 0) return counted(state, 'self');
  switch (state.phase) {
    case 'backup':
      return heardAsBackup(state, heard, now);
    case 'master':
      return heardAsMaster(state, heard, now);
    default:
      return same(heard.priority === 0 ? state : { ...state, heard });
  }
}

function heardAsBackup(state: State, heard: Advert, now: number): Step {
  const { settings } = state;
  if (heard.priority === 0) {
    // Only the master that was heard can resign: priority 0 from any other router would cause an early takeover.
    if (state.heard !== undefined && compareBytes(state.heard.source, heard.source) !== 0)
      return counted(state, 'stranger');
    const skew = downTime(state) - settings.downAfter * state.masterInterval;
    const resigning = state.heard && { ...state.heard, priority: 0 };
    const next: State = { ...state, heard: resigning, deadline: { kind: 'down', at: now + skew } };
    return counted(next, 'priority-zero-received');
  }
  if (heard.priority >= advertisedPriority(state, now))
    return same(rearmed({ ...state, heard, preemptAt: undefined, holdUntil: Number.NEGATIVE_INFINITY }, heard, now));
  if (!settings.preempt) return same(rearmed({ ...state, heard }, heard, now));
  const preemptAt = state.preemptAt ?? now + settings.preemptDelay;
  const next = { ...state, heard, preemptAt };
  const held = !state.ready || now < preemptAt || now < state.holdUntil;
  // Without a hold the advert is discarded: the down timer keeps running until the takeover.
  return same(held ? rearmed(next, heard, now) : next);
}

/** Reports a master that lets this router wait longer than its own interval would. */
function withInterval({ masterInterval }: State, { state, actions }: Step): Step {
  const { settings, heard, phase } = state;
  const longer = phase === 'backup' && state.masterInterval > settings.interval;
  if (!longer || state.masterInterval === masterInterval || heard === undefined) return { state, actions };
  const [theirs, ours, down] = [state.masterInterval, settings.interval, downTime(state)].map((time) => time / SECOND);
  const reason = `the master advertises every ${theirs} s, this node every ${ours} s: once it is silent, a takeover takes ${down?.toFixed(2)} s`;
  return { state, actions: [...actions, { do: 'report', event: 'interval', reason }] };
}

/** Restarts the down timer of a backup after an advert of the master. */
function rearmed(state: State, heard: Advert, now: number): State {
  const { settings } = state;
  const masterInterval = settings.version === 3 ? heard.interval : settings.interval;
  const next = { ...state, masterInterval, wants: false, defers: true };
  return { ...next, deadline: { kind: 'down', at: now + downTime(next) } };
}

function heardAsMaster(state: State, heard: Advert, now: number): Step {
  const { settings } = state;
  const known = { ...state, heard };
  if (heard.priority === 0) {
    if (!mayAnswer(state, now)) return counted(state, 'priority-zero-received');
    const answer = sendNow({ ...state, answered: now }, now, []);
    return { state: answer.state, actions: [...answer.actions, { do: 'count', counter: 'priority-zero-received' }] };
  }
  if (state.priority === OWNER && heard.priority === OWNER) return heardOtherOwner(known, heard, now);
  if (isHigher(heard, state, now)) return fallBack(known, heard, now, 'a router of higher priority');
  // Adverts that waited while this process did not run are outdated.
  if (now - heard.at > settings.interval) return counted(known, 'late');
  // It took over because it could not hear the rightful master (its port was blocked, for instance).
  if (!settings.preempt && now - state.became < 3 * settings.interval)
    return fallBack(known, heard, now, 'a master that was there before');
  if (!settings.answerLower || !mayAnswer(state, now)) return counted(known, 'contested');
  return contest(known, now, [
    { do: 'report', event: 'contested', reason: `a router of priority ${heard.priority} is master too` },
    { do: 'count', counter: 'contested' },
  ]);
}

/** At most one answer in a quarter of the own interval, so that two routers cannot keep answering each other. */
function mayAnswer(state: State, now: number): boolean {
  return now - state.answered >= state.settings.interval / 4;
}

function contest(state: State, now: number, actions: Action[]): Step {
  return sendNow({ ...state, answered: now }, now, [{ do: 'announce', why: 'contest' }, ...actions]);
}

/** Two owners are a fault of configuration; the one with the lower address counts as 254 while it hears the other. */
function heardOtherOwner(state: State, heard: Advert, now: number): Step {
  const lower = state.source === undefined || compareBytes(state.source, heard.source) < 0;
  if (lower) {
    const demoted = { ...state, demotedUntil: now + 3 * heard.interval };
    return fallBack(demoted, heard, now, 'another owner with a higher address');
  }
  if (!mayAnswer(state, now)) return counted(state, 'contested');
  return contest(state, now, [{ do: 'report', event: 'two-owners', reason: 'another router is configured as owner' }]);
}

/** Between two masters the higher priority wins, then the higher address (RFC 9568 section 6.4.3). */
function isHigher(heard: Advert, state: State, now: number): boolean {
  const own = advertisedPriority(state, now);
  if (heard.priority !== own) return heard.priority > own;
  return state.source === undefined || compareBytes(heard.source, state.source) > 0;
}

function fallBack(state: State, heard: Advert, now: number, reason: string): Step {
  const fallBacks = [...state.fallBacks.filter((at) => now - at < FLAP_WINDOW), now];
  const backup = rearmed({ ...state, phase: 'backup', preemptAt: undefined, fallBacks }, heard, now);
  return { state: backup, actions: [...withdrawAll(), moved(state, 'backup', reason)] };
}

function tick(state: State, now: number): Step {
  const { deadline, settings } = state;
  if (deadline === undefined || now < deadline.at) return same(state);
  if (deadline.kind === 'recover') return examine(state, { ...state, takenAway: false, deadline: undefined }, now);
  if (deadline.kind === 'down' && now < heldDown(state, now))
    return same({ ...state, deadline: { kind: 'down', at: heldDown(state, now) } });
  if (deadline.kind === 'down' && settings.grouped)
    return same({ ...state, ...UNDECIDED, wants: true, deadline: { kind: 'down', at: now + downTime(state) } });
  if (deadline.kind === 'down') return takeOver(state, now, silence(state, now));
  // The period is kept as long as the timer is late by less than one interval.
  const next = deadline.at + settings.interval;
  const at = next > now ? next : now + settings.interval;
  const sent: State = { ...state, sent: now, deadline: { kind: 'advert', at } };
  return { state: sent, actions: [{ do: 'send', priority: advertisedPriority(state, now) }] };
}

/**
 * When a router that has fallen back may take over again: after an own interval, and at least a second if it happens
 * again and again. Adverts with a short interval or of priority 0 could otherwise move the addresses dozens of times a
 * second.
 */
function heldDown({ fallBacks, settings }: State, now: number): number {
  const recent = fallBacks.filter((at) => now - at < FLAP_WINDOW);
  const [hold, last] = [recent.length < FLAPS ? 0 : FLAP_HOLD, recent.at(-1)];
  return last === undefined ? now : last + Math.max(settings.interval, hold);
}

function silence({ heard }: State, now: number): string {
  return heard === undefined ? 'no master heard' : `no advert for ${Math.round((now - heard.at) / 1000)} ms`;
}

function takeOver(state: State, now: number, reason: string): Step {
  const { interval } = state.settings;
  const master: State = {
    ...state,
    ...UNDECIDED,
    phase: 'master',
    masterInterval: interval,
    deadline: { kind: 'advert', at: now + interval },
    preemptAt: undefined,
    became: now,
    sent: now,
    answered: Number.NEGATIVE_INFINITY,
    lost: [],
  };
  return {
    state: master,
    actions: [
      { do: 'send', priority: advertisedPriority(state, now) },
      // Local addresses first: a packet to a virtual address must find its service's pool complete.
      { do: 'place', addresses: 'local' },
      { do: 'sync', role: 'master' },
      { do: 'place', addresses: 'virtual' },
      { do: 'announce', why: 'takeover' },
      moved(state, 'master', reason),
    ],
  };
}

/** Sends an advert outside of the period, which starts anew. */
function sendNow(state: State, now: number, actions: Action[]): Step {
  const deadline = { kind: 'advert', at: now + state.settings.interval } as const;
  const priority = advertisedPriority(state, now);
  return { state: { ...state, sent: now, deadline }, actions: [{ do: 'send', priority }, ...actions] };
}

function waitAsBackup(state: State, now: number, reason: string, actions: Action[] = []): Step {
  const { settings } = state;
  const own: State = {
    ...state,
    ...UNDECIDED,
    phase: 'backup',
    masterInterval: settings.interval,
    preemptAt: undefined,
    heard: undefined,
  };
  const holdUntil = now + startDelay(state, now);
  const backup: State = { ...own, holdUntil, deadline: { kind: 'down', at: holdUntil + downTime(own) } };
  return {
    state: backup,
    actions: [...actions, { do: 'sync', role: 'backup' }, moved(state, 'backup', reason)],
  };
}

/** Enters or leaves `fault` after something changed that `faultsOf` depends on. */
function examine(before: State, state: State, now: number): Step {
  if (state.phase === 'init') return same(state);
  const [fault] = faultsOf(state);
  if (fault !== undefined) return state.phase === 'fault' ? same(state) : enterFault(state, fault);
  if (state.phase !== 'fault') return same(state);
  const reason = `recovered from: ${faultsOf(before).join(', ')}`;
  // Neighbours may have expired this node's address; unicast peers must be able to reach it.
  return waitAsBackup(state, now, reason, [{ do: 'announce', why: 'source' }]);
}

function enterFault(state: State, cause: string): Step {
  const actions: Action[] = state.phase === 'master' ? release() : [];
  actions.push(moved(state, 'fault', cause));
  return { state: { ...state, ...UNDECIDED, phase: 'fault', deadline: undefined }, actions };
}

function changePriority(state: State, priority: number, now: number): Step {
  if (priority === state.priority) return same(state);
  const next = { ...state, priority };
  return state.phase === 'master' ? sendNow(next, now, []) : same(retimed(state, next, now));
}

/** Moves a backup's running down timer by the difference that a new priority or new settings make. */
function retimed(before: State, state: State, now: number): State {
  if (state.phase !== 'backup' || state.deadline === undefined) return state;
  const { heard, settings, priority } = state;
  // It was about to preempt this master: the down timer did not follow its adverts.
  if (heard !== undefined && !defersTo(heard, before, now) && defersTo(heard, state, now)) {
    const next = rearmed(state, heard, heard.at);
    const at = Math.max(next.deadline?.at ?? now, state.deadline.at, now);
    return { ...next, deadline: { kind: 'down', at } };
  }
  const shift = downTime(state) - downTime(before);
  if (shift === 0) return state;
  let at = state.deadline.at + shift;
  // It rose above the master: the silence counts from that master's last advert, as if it had been higher all the time.
  const rose = heard !== undefined && priority > before.priority && priority > heard.priority && settings.preempt;
  if (rose && !isHeld(state, now)) at = Math.min(at, heard.at + downTime(state));
  return { ...state, deadline: { kind: 'down', at: Math.max(at, now) } };
}

/** Whether a backup leaves a master in place. One that resigned, whose priority is 0, is none. */
function defersTo(heard: Advert, state: State, now: number): boolean {
  return heard.priority > 0 && (heard.priority >= advertisedPriority(state, now) || !state.settings.preempt);
}

/** Whether something forbids a preemption now; a preemption delay that has not begun forbids it too. */
function isHeld(state: State, now: number): boolean {
  const { preemptAt, settings } = state;
  const delayed = preemptAt === undefined ? settings.preemptDelay > 0 : now < preemptAt;
  return delayed || !state.ready || now < state.holdUntil;
}

function configure(state: State, event: Extract<Event, { kind: 'configure' }>, now: number): Step {
  const { settings, priority, addresses } = event;
  const intervalChanged = settings.interval !== state.settings.interval;
  const reconfigured = { ...state, settings };
  if (state.phase === 'master') {
    const send = intervalChanged || addresses || priority !== state.priority;
    const replaced: Action[] = addresses ? [{ do: 'replace' }] : [];
    if (!send) return { state: reconfigured, actions: replaced };
    const sent = sendNow({ ...reconfigured, priority, masterInterval: settings.interval }, now, []);
    return { state: sent.state, actions: [...replaced, ...sent.actions] };
  }
  // Version 3 follows the master's interval; version 2 has to use its own.
  const rearm = state.phase === 'backup' && settings.version === 2 && intervalChanged;
  if (!rearm) return same(retimed(state, { ...reconfigured, priority }, now));
  const backup = { ...reconfigured, priority, masterInterval: settings.interval };
  return same({ ...backup, deadline: { kind: 'down', at: now + downTime(backup) } });
}

function changeSource(state: State, source: Uint8Array | undefined, now: number): Step {
  const next = { ...state, source };
  if (state.phase === 'master' && source !== undefined) return sendNow(next, now, []);
  return examine(state, next, now);
}

function stalled(state: State, by: number, now: number): Step {
  if (state.phase !== 'master' || by <= downTime(state)) return same(state);
  const { heard, settings } = state;
  // The other routers have elected a master in the meantime; without preemption it stays.
  if (!settings.preempt && heard !== undefined && heard.priority > 0 && heard.at > state.sent)
    return fallBack(state, heard, now, 'another master was elected while this process did not run');
  return contest(state, now, []);
}

/** Addresses that went together count as one loss. */
function addressLost(state: State, addresses: readonly string[], now: number): Step {
  if (state.phase !== 'master') return same(state);
  const lost = [...state.lost.filter((at) => now - at < LOSS_WINDOW), now];
  if (lost.length >= LOSSES) {
    const failed = enterFault({ ...state, lost: [], takenAway: true }, ADDRESS_TAKEN_AWAY);
    const deadline = { kind: 'recover', at: now + LOSS_RECOVERY } as const;
    return { state: { ...failed.state, deadline }, actions: failed.actions };
  }
  return {
    state: { ...state, lost },
    actions: [
      { do: 'restore', addresses },
      { do: 'report', event: 'address-restored', reason: `${addresses.join(', ')} was removed by another program` },
    ],
  };
}

function resigned(state: State): State {
  return { ...state, ...UNDECIDED, phase: 'backup', preemptAt: undefined, heard: undefined };
}

/** A master whose group has lost its role: the other routers take over at once. */
function giveUp(state: State, reason: string, now: number): Step {
  if (state.phase !== 'master') return same(state);
  const backup = resigned(state);
  return {
    state: { ...backup, deadline: { kind: 'down', at: now + downTime(backup) } },
    actions: [...release(), moved(state, 'backup', reason)],
  };
}

/** It does not preempt for `hold`, but takes over again if no other router does within four down intervals. */
function giveAway(state: State, hold: number, now: number): Step {
  if (state.phase !== 'master') return same(state);
  const backup = resigned(state);
  const down = downTime(backup);
  return {
    state: { ...backup, holdUntil: now + Math.max(hold, 3 * down), deadline: { kind: 'down', at: now + 4 * down } },
    actions: [...release(), moved(state, 'backup', 'yielded')],
  };
}

/** Leaves the master's role on purpose: priority 0 lets a backup take over at once; sent twice in case one is lost. */
function release(): Action[] {
  return [{ do: 'send', priority: 0 }, ...withdrawAll(), { do: 'send', priority: 0 }];
}

function withdrawAll(): Action[] {
  return [
    { do: 'withdraw', addresses: 'virtual' },
    { do: 'withdraw', addresses: 'local' },
    { do: 'sync', role: 'backup' },
  ];
}

function moved(state: State, to: State['phase'], reason: string): Action {
  return { do: 'report', event: 'state', from: state.phase, to, reason };
}

function counted(state: State, counter: Extract<Action, { do: 'count' }>['counter']): Step {
  return { state, actions: [{ do: 'count', counter }] };
}
