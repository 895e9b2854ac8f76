// SPDX-License-Identifier: MIT
/**
 * Settings of real servers by operators, which replace those of file and checks. Identified by the service's name and the
 * server's address. They are moved along with a renamed service, and kept while their server is not in the file. Pure.
 */
import { serverText, type VirtualService } from './virtual-services.ts';

/**
 * `drain`: no new connections. `disable`: counts as down. `up`: counts as up. `weight`: instead of that of the file.
 */
export type OverrideKind = 'drain' | 'disable' | 'up' | 'weight';

/** As in the file. */
export const MOST_WEIGHT = 65_535;

export interface Override {
  /** Name of the service in the file. */
  service: string;
  /** "10.31.4.2:8443". */
  server: string;
  /** Default: `drain`. */
  kind?: OverrideKind | undefined;
  weight?: number | undefined;
  /** User, time (by the clock `steady()`; in files, the time of day) and purpose of the change, as far as known. */
  by?: string | undefined;
  at?: number | undefined;
  reason?: string | undefined;
  /** The kernel's services of that name (`VirtualService.key`) when it was set: used to recognise a renamed service. */
  virtuals?: readonly string[] | undefined;
}

/** A change of the configuration that concerns an override. */
export interface OverrideNote {
  override: Override;
  /** Its service has this new name; its server left the file; its server is in the file again. */
  change: 'renamed' | 'orphaned' | 'returned';
  /** The former name of the service. */
  was?: string;
}

/** The overrides of one real server. */
export interface ServerOverrides {
  drain?: Override;
  forced?: Override;
  weight?: Override;
}

type Slot = keyof ServerOverrides;

/** Overrides that replace each other. */
const SLOTS: Readonly<Record<OverrideKind, Slot>> = {
  drain: 'drain',
  disable: 'forced',
  up: 'forced',
  weight: 'weight',
};

export const OVERRIDE_KINDS = Object.keys(SLOTS) as OverrideKind[];

/**
 * The author of an override. A process of root may name the user it acts for (sudo), any other cannot choose a name.
 */
export const authorOf = (named: string | undefined, uid: number): string =>
  uid === 0 ? (named ?? 'root') : `uid ${uid}`;

/** The kind of an override, with its default. */
export const kindOf = ({ kind = 'drain' }: Override): OverrideKind => kind;

const placeOf = ({ service, server }: Override) => `${service}\0${server}`;
const NONE: ServerOverrides = {};

export class Overrides {
  readonly #byServer = new Map<string, ServerOverrides>();
  /** `placeOf` of those without a real server in the configuration. */
  #orphaned = new Set<string>();

  constructor(all: Iterable<Override> = []) {
    for (const override of all) this.set(override);
  }

  get size(): number {
    return this.#byServer.size;
  }

  get all(): Override[] {
    return [...this.#byServer.values()].flatMap((one) =>
      [one.drain, one.forced, one.weight].filter((it) => it !== undefined),
    );
  }

  /** Overrides whose real server is not in the configuration. */
  get orphans(): Override[] {
    return this.all.filter((override) => this.#orphaned.has(placeOf(override)));
  }

  of(service: string, server: string): ServerOverrides {
    return this.#byServer.get(placeOf({ service, server })) ?? NONE;
  }

  set(override: Override): void {
    const place = placeOf(override);
    this.#byServer.set(place, { ...this.#byServer.get(place), [SLOTS[kindOf(override)]]: override });
  }

  /** Returns whether there was one. */
  delete(override: Override): boolean {
    const place = placeOf(override);
    const slot = SLOTS[kindOf(override)];
    const { [slot]: old, ...rest } = this.#byServer.get(place) ?? NONE;
    if (!old) return false;
    if (Object.keys(rest).length > 0) this.#byServer.set(place, rest);
    else {
      this.#byServer.delete(place);
      this.#orphaned.delete(place);
    }
    return true;
  }

  /** Adapts the overrides to a new configuration. Returns a note for each that it affects. */
  follow(services: readonly VirtualService[]): OverrideNote[] {
    if (this.size === 0) return [];
    const names = new Set(services.map(({ spec }) => spec.name));
    const byKey = new Map(services.map((service) => [service.key, service]));
    const notes: OverrideNote[] = [];
    for (const override of this.all) {
      if (names.has(override.service)) continue;
      const renamed = override.virtuals?.map((key) => byKey.get(key)).find((service) => service !== undefined);
      if (!renamed) continue;
      this.delete(override);
      const moved = { ...override, service: renamed.spec.name };
      this.set(moved);
      notes.push({ override: moved, change: 'renamed', was: override.service });
    }
    const places = new Set(
      services.flatMap(({ spec, realServers }) =>
        realServers.map((one) => placeOf({ service: spec.name, server: serverText(one) })),
      ),
    );
    const before = this.#orphaned;
    this.#orphaned = new Set([...this.#byServer.keys()].filter((place) => !places.has(place)));
    for (const override of this.all) {
      const [was, is] = [before, this.#orphaned].map((set) => set.has(placeOf(override)));
      if (was !== is) notes.push({ override, change: is ? 'orphaned' : 'returned' });
    }
    return notes;
  }
}
