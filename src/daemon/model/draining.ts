// SPDX-License-Identifier: MIT
/** Real servers that the file no longer has and that keep their connections for a while. Pure: instants are arguments. */
import type { DestinationConfig } from '../../ipvs/index.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import type { Entry, Member } from './virtual-services.ts';

export interface Leaving {
  /** `Entry.key`. */
  entry: string;
  destination: DestinationConfig;
  /** Milliseconds since the epoch; it goes then, or with its last connection. */
  until: number;
  /** It was down when it left, and had stayed in the table in spite of that (`on_failure: inhibit`). */
  down: boolean;
}

export class Departures {
  /** By the entry's key. */
  readonly #of: Map<string, Leaving[]>;

  constructor(known: Iterable<[string, readonly Leaving[]]> = []) {
    this.#of = new Map(Array.from(known, ([key, list]) => [key, [...list]]));
  }

  get all(): readonly Leaving[] {
    return [...this.#of.values()].flat();
  }

  of(key: string): readonly Leaving[] {
    return this.#of.get(key) ?? [];
  }

  copy(): Departures {
    return new Departures(this.#of);
  }

  add(one: Leaving): void {
    const list = this.#of.get(one.entry);
    if (list) list.push(one);
    else this.#of.set(one.entry, [one]);
  }

  /** One that the file dropped while nobody ran, if its service lets it leave in peace; whether it does. */
  addFound(entry: Entry, found: DestinationConfig, now: number): boolean {
    const key = destinationKeyText(found);
    if (entry.spec.drain === 0 || this.of(entry.key).some((one) => destinationKeyText(one.destination) === key))
      return false;
    const { family, address, port, method, tunnelType, tunnelPort, tunnelFlags } = found;
    const destination = { family, address, port, method, tunnelType, tunnelPort, tunnelFlags, ...NO_MORE };
    this.add({ entry: entry.key, destination, until: now + entry.spec.drain, down: false });
    return true;
  }

  /** Those that the entry has, again: they no longer leave. */
  takeBack(entry: Entry): { member: Member; was: Leaving }[] {
    const list = this.#of.get(entry.key);
    if (!list) return [];
    const there = new Map(entry.members.map((member) => [member.key, member]));
    const back: { member: Member; was: Leaving }[] = [];
    this.#keep(entry.key, list, (was) => {
      const member = there.get(destinationKeyText(was.destination));
      if (member) back.push({ member, was });
      return member === undefined;
    });
    return back;
  }

  /** The service itself has gone. */
  drop(key: string): void {
    this.#of.delete(key);
  }

  /** Lets go of those whose time is over, or that `idle` says have no connection any more; how many, by entry. */
  release(now: number, idle: (one: Leaving) => boolean): ReadonlyMap<string, number> {
    const gone = new Map<string, number>();
    for (const [key, list] of this.#of) {
      const before = list.length;
      const left = this.#keep(key, list, (one) => one.until > now && !idle(one));
      if (left < before) gone.set(key, before - left);
    }
    return gone;
  }

  #keep(key: string, list: readonly Leaving[], stays: (one: Leaving) => boolean): number {
    const left = list.filter(stays);
    if (left.length > 0) this.#of.set(key, left);
    else this.#of.delete(key);
    return left.length;
  }
}

const NO_MORE = { weight: 0, upperThreshold: 0, lowerThreshold: 0 } as const;
