// SPDX-License-Identifier: MIT
/**
 * State of the configured services at run time: which targets are up, which quorums are met, operators' overrides, and
 * real servers that drain. Has no clock and no sockets: instants are arguments.
 */
import { formatAddress, parseAddress } from '../../base/addresses.ts';
import { nextQuorum } from '../../health/quorum.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import type { ActualService } from '../../plan/types.ts';
import { Draining, type DrainingServer } from './draining.ts';
import { kindOf, type Override, type OverrideNote, Overrides, type ServerOverrides } from './overrides.ts';
import { type RealServer, serverText, type VirtualService } from './virtual-services.ts';

export type { Override } from './overrides.ts';

export interface QuorumChange {
  service: VirtualService;
  up: boolean;
  weight: number;
}

export type ServerState = 'up' | 'down' | 'unchecked' | 'draining';

export class RuntimeState {
  #services: readonly VirtualService[] = [];
  /** Services by the id of a target that they use. Most targets have one: a list for each would cost megabytes. */
  #users = new Map<string, VirtualService | readonly VirtualService[]>();
  /** Number of times that a target was added or removed. */
  #targetChanges = 0;
  /** Number of changes to each service's state. */
  readonly #versions = new WeakMap<VirtualService, number>();
  /** Services whose quorum has to be computed again. */
  readonly #changed = new Set<VirtualService>();
  /** Ids of the targets that are down. */
  readonly #down = new Set<string>();
  /** Results of handshakes with targets as numbers of src/health/negotiated.ts, by id. */
  readonly #negotiated = new Map<string, number>();
  readonly #quorum = new Map<string, boolean>();
  #overrides = new Overrides();
  #overrideNotes: OverrideNote[] = [];
  #draining = new Draining();
  /** Previous state of the real servers behind targets that the last configuration added. */
  readonly #inherited = new Map<string, boolean>();

  /** Names of the virtual routers of which this node is master. */
  masters: ReadonlySet<string> = new Set();
  /** Whether lvsd has started sync daemons of the kernel, and stops those that the file no longer names. */
  ownsSync = false;

  get services(): readonly VirtualService[] {
    return this.#services;
  }

  /**
   * Sets a new configuration. Real servers removed from it drain for their service's `drain`. Services that stay keep
   * their quorum; a new service has its quorum if its weight suffices. Returns whether the set of targets changed.
   */
  configure(services: readonly VirtualService[], now: number): boolean {
    const targetChanges = this.#targetChanges;
    this.#inherited.clear();
    // A reload keeps the objects of unchanged services: only the others are looked at.
    const removed = new Set(this.#services);
    const added = services.filter((service) => !removed.delete(service));
    const previous = new Map([...removed].map((service) => [service.key, service]));
    for (const service of added) {
      this.#acquire(service, previous.get(service.key), now);
      previous.delete(service.key);
    }
    for (const key of previous.keys()) {
      this.#quorum.delete(key);
      this.#draining.forget(key);
    }
    for (const service of removed) this.#release(service);
    this.#services = services;
    this.#followOverrides();
    return this.#targetChanges !== targetChanges;
  }

  /** Starts to track a service; `previous` is its older configuration. */
  #acquire(service: VirtualService, previous: VirtualService | undefined, now: number): void {
    this.#touch(service);
    for (const target of service.realServers.flatMap(({ targets }) => targets)) {
      const users = this.users(target.id);
      if (users.length === 0) this.#targetChanges++;
      if (!users.includes(service)) this.#setUsers(target.id, [...users, service]);
    }
    for (const { server, was } of this.#draining.revive(service)) this.#inherit(server, !was.wasDown);
    if (!previous) return;
    const configured = new Map(service.realServers.map((server) => [server.key, server]));
    for (const server of previous.realServers) {
      const wasDown = this.isDown(server);
      const kept = configured.get(server.key);
      if (kept) this.#inherit(kept, !wasDown);
      else if (service.spec.drain > 0 && !(wasDown && previous.spec.onFailure === 'remove')) {
        const destination = { ...server.destination, weight: 0 };
        const name = server.spec.name === serverText(server) ? undefined : server.spec.name;
        this.#draining.add({ service: service.key, destination, name, until: now + service.spec.drain, wasDown });
      }
    }
  }

  /** A real server whose check changed, or that is added again while it drains, keeps its state. */
  #inherit({ targets }: RealServer, up: boolean): void {
    for (const target of targets) this.#inherited.set(target.id, up || this.#inherited.get(target.id) === true);
  }

  /**
   * Initial state of a target that the last configuration added for a real server that was there before. A target that
   * several services use is up if the real server was up in any of them.
   */
  inherited(target: string): boolean | undefined {
    return this.#inherited.get(target);
  }

  /** Stops tracking a service. */
  #release(service: VirtualService): void {
    this.#changed.delete(service);
    for (const target of service.realServers.flatMap(({ targets }) => targets)) {
      if (!this.#users.has(target.id)) continue;
      const users = this.users(target.id).filter((one) => one !== service);
      this.#setUsers(target.id, users);
      if (users.length === 0) this.#targetChanges++;
    }
  }

  #setUsers(target: string, users: readonly VirtualService[]): void {
    const [first] = users;
    if (!first) this.#users.delete(target);
    else this.#users.set(target, users.length === 1 ? first : users);
  }

  #touch(service: VirtualService): void {
    this.#versions.set(service, this.version(service) + 1);
    this.#changed.add(service);
  }

  /** A number that grows whenever the service's state changes. Values derived from that state are valid until then. */
  version(service: VirtualService): number {
    return this.#versions.get(service) ?? 0;
  }

  /** Services that use a target. */
  users(target: string): readonly VirtualService[] {
    const found = this.#users.get(target);
    if (!found) return [];
    return 'spec' in found ? [found] : found;
  }

  /** Restores state from a previous run. */
  restore(saved: {
    quorum: ReadonlyMap<string, boolean>;
    overrides: readonly Override[];
    draining: readonly DrainingServer[];
  }): void {
    const services = new Map(this.#services.map((service) => [service.key, service]));
    for (const [key, up] of saved.quorum) if (services.has(key)) this.#quorum.set(key, up);
    for (const override of saved.overrides) this.#overrides.set(override);
    this.#followOverrides();
    for (const server of saved.draining) if (services.has(server.service)) this.#draining.add(server);
    for (const service of this.#services) {
      for (const { server, was } of this.#draining.revive(service)) this.#inherit(server, !was.wasDown);
      this.#touch(service);
    }
  }

  /**
   * Adopts real servers that are in the table of these services but neither in the file nor known here: they were
   * removed from the file while the daemon was down, and drain like any other.
   */
  adopt(owned: ReadonlySet<string>, table: (key: string) => ActualService | undefined, now: number): void {
    for (const service of this.#services) {
      if (service.spec.drain === 0 || !owned.has(service.key)) continue;
      const configured = new Set(service.realServers.map((server) => server.key));
      if (service.sorryServer) configured.add(destinationKeyText(service.sorryServer));
      for (const one of table(service.key)?.destinations ?? [])
        if (!configured.has(destinationKeyText(one)) && this.#draining.adopt(service, one, now)) this.#touch(service);
    }
  }

  /** A copy with another configuration, to compute what that configuration would change. */
  preview(services: readonly VirtualService[], now: number): RuntimeState {
    const copy = new RuntimeState();
    copy.#services = this.#services;
    copy.#users = new Map(this.#users);
    for (const id of this.#down) copy.#down.add(id);
    for (const [id, negotiated] of this.#negotiated) copy.#negotiated.set(id, negotiated);
    for (const [key, up] of this.#quorum) copy.#quorum.set(key, up);
    copy.#overrides = new Overrides(this.#overrides.all);
    copy.#draining = this.#draining.copy();
    copy.masters = this.masters;
    copy.ownsSync = this.ownsSync;
    copy.configure(services, now);
    return copy;
  }

  /** A target that was never set counts as up. */
  setTarget(id: string, up: boolean): void {
    if (this.#down.has(id) !== up) return;
    if (up) this.#down.delete(id);
    else this.#down.add(id);
    for (const service of this.users(id)) this.#touch(service);
  }

  /** Handshakes with a target negotiate this; 0: not known. Returns whether that matters to a service. */
  setNegotiated(id: string, negotiated: number): boolean {
    if (this.negotiated(id) === negotiated) return false;
    this.#negotiated.set(id, negotiated);
    const proxied = this.users(id).filter(({ spec }) => spec.synProxy !== undefined);
    for (const service of proxied) this.#touch(service);
    return proxied.length > 0;
  }

  negotiated(id: string): number {
    return this.#negotiated.get(id) ?? 0;
  }

  /** Forgets all other targets. */
  keepTargets(wanted: ReadonlySet<string>): void {
    for (const id of this.#negotiated.keys()) if (!wanted.has(id)) this.#negotiated.delete(id);
    for (const id of this.#down) if (!wanted.has(id)) this.#down.delete(id);
  }

  /** Computes the quorum of every service whose state changed. Returns the quorums that changed. */
  updateQuorums(): QuorumChange[] {
    const changes: QuorumChange[] = [];
    for (const service of this.#changed) {
      const weight = this.weight(service);
      const before = this.#quorum.get(service.key);
      const { quorum, hysteresis } = service.spec;
      const up = nextQuorum(before, weight, quorum, hysteresis);
      if (up === before) continue;
      this.#quorum.set(service.key, up);
      this.#touch(service);
      if (before !== undefined || !up) changes.push({ service, up, weight });
    }
    this.#changed.clear();
    return changes;
  }

  quorumUp(service: VirtualService): boolean {
    return this.#quorum.get(service.key) ?? true;
  }

  /** Sum of the weights of real servers that are up and not drained, with those that operators set. */
  weight(service: VirtualService): number {
    let sum = 0;
    for (const server of service.realServers) {
      const state = this.serverState(service, server);
      if (state === 'up' || state === 'unchecked') sum += this.weightOf(service, server);
    }
    return sum;
  }

  serverState(service: VirtualService, server: RealServer): ServerState {
    const { drain, forced } = this.overridesOf(service, server);
    if (forced?.kind === 'disable' || (this.isDown(server) && !forced)) return 'down';
    if (drain) return 'draining';
    return server.targets.length > 0 || forced ? 'up' : 'unchecked';
  }

  /** The weight of the file, or the one that an operator set. */
  weightOf(service: VirtualService, server: RealServer): number {
    return this.overridesOf(service, server).weight?.weight ?? server.destination.weight;
  }

  /** Whether an operator drains a real server of this service that is not down. */
  hasDrainedServer(service: VirtualService): boolean {
    return (
      this.#overrides.size > 0 && service.realServers.some((server) => this.serverState(service, server) === 'draining')
    );
  }

  overridesOf(service: VirtualService, server: RealServer): ServerOverrides {
    return this.#overrides.size === 0 ? NO_OVERRIDES : this.#overrides.of(service.spec.name, serverText(server));
  }

  get overrides(): Override[] {
    return this.#overrides.all;
  }

  /** Overrides whose real server is not in the file: they apply again when it is. */
  get orphans(): Override[] {
    return this.#overrides.orphans;
  }

  /** Changes of overrides by the last configurations; each note is returned once. */
  takeOverrideNotes(): OverrideNote[] {
    return this.#overrideNotes.splice(0);
  }

  #followOverrides(): void {
    this.#overrideNotes.push(...this.#overrides.follow(this.#services));
  }

  /** Sets or ends an override. Returns whether that changed anything. */
  setOverride(override: Override, on: boolean): boolean {
    if (!on && !this.#overrides.delete(override)) return false;
    if (on) {
      const { service, server, weight } = override;
      const before = this.#overrides.all.find(
        (one) => one.service === service && one.server === server && kindOf(one) === kindOf(override),
      );
      this.#overrides.set(override);
      if (before && before.weight === weight) return false;
    }
    for (const service of this.#services) if (service.spec.name === override.service) this.#touch(service);
    return true;
  }

  /**
   * Real servers by name, address:port or bare address, of one service or of all; by address also those of orphaned
   * overrides. A bare address finds all its ports, unless it is the name of a real server.
   */
  find(server: string, service?: string): Override[] {
    const exact = this.#find((text, name) => text === server || name === server, service);
    if (exact.length > 0) return exact;
    const address = parseAddress(server);
    if (!address) return [];
    const plain = formatAddress(address.family, address.bytes);
    return this.#find((text) => withoutPort(text) === plain, service);
  }

  #find(matches: (text: string, name: string | undefined) => boolean, service: string | undefined): Override[] {
    const found = new Map<string, Override>();
    for (const { spec, realServers } of this.#services) {
      if (service !== undefined && spec.name !== service) continue;
      for (const one of realServers) {
        const text = serverText(one);
        if (!matches(text, one.spec.name)) continue;
        const override = { service: spec.name, server: text };
        found.set(`${override.service}\0${text}`, override);
      }
    }
    for (const { service: name, server: text } of this.orphans)
      if (matches(text, undefined) && (service === undefined || service === name))
        found.set(`${name}\0${text}`, { service: name, server: text });
    return [...found.values()];
  }

  get draining(): readonly DrainingServer[] {
    return this.#draining.all;
  }

  drainingOf(service: VirtualService): readonly DrainingServer[] {
    return this.#draining.of(service.key);
  }

  /** Forgets draining servers whose time is over, and idle ones (without connections). Returns their number. */
  expire(now: number, isIdle: (server: DrainingServer) => boolean): number {
    const expired = this.#draining.expire(now, isIdle);
    if (expired.size === 0) return 0;
    for (const service of this.#services) if (expired.has(service.key)) this.#touch(service);
    return [...expired.values()].reduce((sum, count) => sum + count, 0);
  }

  get quorums(): ReadonlyMap<string, boolean> {
    return this.#quorum;
  }

  /** Whether a check of the real server has it down, regardless of overrides. */
  isDown({ targets }: RealServer): boolean {
    for (const { id } of targets) if (this.#down.has(id)) return true;
    return false;
  }
}

/** '10.31.4.2:8443' -> '10.31.4.2', '[2001:db8::2]:80' -> '2001:db8::2'. */
const withoutPort = (text: string): string => text.slice(0, text.lastIndexOf(':')).replace(/^\[|\]$/g, '');

const NO_OVERRIDES: ServerOverrides = {};
