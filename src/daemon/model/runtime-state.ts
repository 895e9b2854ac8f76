// SPDX-License-Identifier: MIT
/**
 * What decides, beside the file, how the table should look: which targets are up, which quorums hold, what an operator
 * has said, and which real servers are on their way out. No clock and no socket: instants come as arguments.
 */
import { nextQuorum } from '../../health/quorum.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import type { ActualService } from '../../plan/types.ts';
import { Departures, type Leaving } from './draining.ts';
import { type Entry, type Member, serverText } from './virtual-services.ts';

/** An operator's word over the checks: this real server takes no new connection. */
export interface Override {
  service: string;
  /** "10.31.4.2:8443". */
  server: string;
}

export interface QuorumChange {
  entry: Entry;
  up: boolean;
  weight: number;
}

export type MemberState = 'up' | 'down' | 'unchecked' | 'draining';

export class Situation {
  #roster: readonly Entry[] = [];
  /** Entries by the target that they use. */
  #users = new Map<string, readonly Entry[]>();
  /** How often a target has come or gone. */
  #targets = 0;
  /** How often something about an entry has changed. */
  readonly #versions = new WeakMap<Entry, number>();
  /** Entries whose quorum has to be looked at. */
  readonly #unsettled = new Set<Entry>();
  readonly #up = new Map<string, boolean>();
  readonly #quorum = new Map<string, boolean>();
  #overrides = new Map<string, Override>();
  #leaving = new Departures();
  /** What targets that the last configuration brought are to count as, by the real servers that they are for. */
  readonly #inherited = new Map<string, boolean>();

  get roster(): readonly Entry[] {
    return this.#roster;
  }

  /**
   * Takes a new configuration. Real servers that are no longer in it leave over their service's `drain`; quorums of
   * services that stay are kept, new ones hold if there is weight enough. Returns whether other targets are used than before.
   */
  configure(roster: readonly Entry[], now: number): boolean {
    const targets = this.#targets;
    this.#inherited.clear();
    // Nearly every entry is the one that it was: what follows is about the others.
    const gone = new Set(this.#roster);
    const added = roster.filter((entry) => !gone.delete(entry));
    const before = new Map([...gone].map((entry) => [entry.key, entry]));
    for (const entry of added) {
      this.#takeOn(entry, before.get(entry.key), now);
      before.delete(entry.key);
    }
    for (const key of before.keys()) {
      this.#quorum.delete(key);
      this.#leaving.drop(key);
    }
    for (const entry of gone) this.#letGo(entry);
    this.#roster = roster;
    return this.#targets !== targets;
  }

  #takeOn(entry: Entry, old: Entry | undefined, now: number): void {
    this.#touch(entry);
    for (const { target } of entry.members) {
      if (!target) continue;
      const users = this.#users.get(target.id) ?? [];
      if (users.length === 0) this.#targets++;
      if (!users.includes(entry)) this.#users.set(target.id, [...users, entry]);
    }
    for (const { member, was } of this.#leaving.takeBack(entry)) this.#inherit(member, !was.down);
    if (!old) return;
    const there = new Map(entry.members.map((member) => [member.key, member]));
    for (const member of old.members) {
      const down = this.#memberDown(member);
      const stays = there.get(member.key);
      if (stays) this.#inherit(stays, !down);
      else if (entry.spec.drain > 0 && !(down && old.spec.onFailure === 'remove')) {
        const destination = { ...member.destination, weight: 0 };
        this.#leaving.add({ entry: entry.key, destination, until: now + entry.spec.drain, down });
      }
    }
  }

  /** A real server that gets another check, or that comes back before it has gone, is as it was. */
  #inherit({ target }: Member, up: boolean): void {
    if (target) this.#inherited.set(target.id, up || this.#inherited.get(target.id) === true);
  }

  /**
   * What a target that is new with the last configuration counts as, if it is for a real server that was there before.
   * One that several services use is up if it was in any.
   */
  inherited(target: string): boolean | undefined {
    return this.#inherited.get(target);
  }

  #letGo(entry: Entry): void {
    this.#unsettled.delete(entry);
    for (const { target } of entry.members) {
      const users = target && this.#users.get(target.id)?.filter((one) => one !== entry);
      if (!users) continue;
      if (users.length > 0) this.#users.set(target.id, users);
      else {
        this.#users.delete(target.id);
        this.#targets++;
      }
    }
  }

  /** Something about this entry has changed. */
  #touch(entry: Entry): void {
    this.#versions.set(entry, this.version(entry) + 1);
    this.#unsettled.add(entry);
  }

  /** Another number whenever what is known about an entry has changed: whoever worked something out may keep it till then. */
  version(entry: Entry): number {
    return this.#versions.get(entry) ?? 0;
  }

  /** Entries that use a target. */
  users(target: string): readonly Entry[] {
    return this.#users.get(target) ?? [];
  }

  /** What is known from before: the state file, at start. */
  restore(known: {
    quorum: ReadonlyMap<string, boolean>;
    overrides: readonly Override[];
    leaving: readonly Leaving[];
  }): void {
    const entries = new Map(this.#roster.map((entry) => [entry.key, entry]));
    for (const [key, up] of known.quorum) if (entries.has(key)) this.#quorum.set(key, up);
    for (const override of known.overrides) this.#overrides.set(overrideKey(override), override);
    for (const one of known.leaving) if (entries.has(one.entry)) this.#leaving.add(one);
    for (const entry of this.#roster) {
      for (const { member, was } of this.#leaving.takeBack(entry)) this.#inherit(member, !was.down);
      this.#touch(entry);
    }
  }

  /**
   * Real servers of these services that the table has and that neither the file names nor anything here knows: the file
   * dropped them while nobody ran. They leave over `drain` like any other.
   */
  adopt(services: ReadonlySet<string>, table: (key: string) => ActualService | undefined, now: number): void {
    for (const entry of this.#roster) {
      if (entry.spec.drain === 0 || !services.has(entry.key)) continue;
      const named = new Set(entry.members.map((member) => member.key));
      if (entry.sorry) named.add(destinationKeyText(entry.sorry));
      for (const one of table(entry.key)?.destinations ?? [])
        if (!named.has(destinationKeyText(one)) && this.#leaving.addFound(entry, one, now)) this.#touch(entry);
    }
  }

  /** The same knowledge under another configuration, to see what that would do. */
  preview(roster: readonly Entry[], now: number): Situation {
    const copy = new Situation();
    copy.#roster = this.#roster;
    copy.#users = new Map(this.#users);
    for (const [id, up] of this.#up) copy.#up.set(id, up);
    for (const [key, up] of this.#quorum) copy.#quorum.set(key, up);
    copy.#overrides = new Map(this.#overrides);
    copy.#leaving = this.#leaving.copy();
    copy.configure(roster, now);
    return copy;
  }

  setTarget(id: string, up: boolean): void {
    if (this.#up.get(id) === up) return;
    this.#up.set(id, up);
    for (const entry of this.users(id)) this.#touch(entry);
  }

  /** Forgets targets that nobody wants any more. */
  keepTargets(wanted: ReadonlySet<string>): void {
    for (const id of this.#up.keys()) if (!wanted.has(id)) this.#up.delete(id);
  }

  /** Moves every quorum on to what weights and overrides now say; the changes. */
  settleQuorums(): QuorumChange[] {
    const changes: QuorumChange[] = [];
    for (const entry of this.#unsettled) {
      const weight = this.weight(entry);
      const before = this.#quorum.get(entry.key);
      const { quorum, hysteresis } = entry.spec;
      const up = nextQuorum(before, weight, quorum, hysteresis);
      if (up === before) continue;
      this.#quorum.set(entry.key, up);
      this.#touch(entry);
      if (before !== undefined || !up) changes.push({ entry, up, weight });
    }
    this.#unsettled.clear();
    return changes;
  }

  quorumUp(entry: Entry): boolean {
    return this.#quorum.get(entry.key) ?? true;
  }

  /** Sum of the weights of real servers that are up and not drained. */
  weight(entry: Entry): number {
    let sum = 0;
    for (const member of entry.members) {
      const state = this.memberState(entry, member);
      if (state === 'up' || state === 'unchecked') sum += member.destination.weight;
    }
    return sum;
  }

  memberState(entry: Entry, member: Member): MemberState {
    if (this.#memberDown(member)) return 'down';
    if (this.override(entry, member)) return 'draining';
    return member.target ? 'up' : 'unchecked';
  }

  /** Whether an operator has taken new connections from a real server of it that still works. */
  drains(entry: Entry): boolean {
    return this.#overrides.size > 0 && entry.members.some((member) => this.memberState(entry, member) === 'draining');
  }

  override(entry: Entry, member: Member): boolean {
    return (
      this.#overrides.size > 0 &&
      this.#overrides.has(overrideKey({ service: entry.spec.name, server: serverText(member) }))
    );
  }

  get overrides(): Override[] {
    return [...this.#overrides.values()];
  }

  /** Whether that changed anything. */
  setOverride(override: Override, on: boolean): boolean {
    const key = overrideKey(override);
    if (on === this.#overrides.has(key)) return false;
    if (on) this.#overrides.set(key, override);
    else this.#overrides.delete(key);
    for (const entry of this.#roster) if (entry.spec.name === override.service) this.#touch(entry);
    return true;
  }

  /** Every real server that a person may mean by these words: a service's name, and a server's name or address:port. */
  find(server: string, service?: string): Override[] {
    const found = new Map<string, Override>();
    for (const entry of this.#roster) {
      if (service !== undefined && entry.spec.name !== service) continue;
      for (const member of entry.members) {
        const text = serverText(member);
        if (text !== server && member.spec.name !== server) continue;
        const override = { service: entry.spec.name, server: text };
        found.set(overrideKey(override), override);
      }
    }
    return [...found.values()];
  }

  get leaving(): readonly Leaving[] {
    return this.#leaving.all;
  }

  /** Those of one entry. */
  leavingOf(entry: Entry): readonly Leaving[] {
    return this.#leaving.of(entry.key);
  }

  /** Lets go of those whose time is over, or that `idle` says have no connection any more; how many. */
  release(now: number, idle: (one: Leaving) => boolean): number {
    const gone = this.#leaving.release(now, idle);
    if (gone.size === 0) return 0;
    for (const entry of this.#roster) if (gone.has(entry.key)) this.#touch(entry);
    return [...gone.values()].reduce((sum, count) => sum + count, 0);
  }

  get quorums(): ReadonlyMap<string, boolean> {
    return this.#quorum;
  }

  #memberDown({ target }: Member): boolean {
    return target !== undefined && this.#up.get(target.id) === false;
  }
}

const overrideKey = ({ service, server }: Override) => `${service}\0${server}`;
