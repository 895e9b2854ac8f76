// SPDX-License-Identifier: MIT
/**
 * Connects configuration and health with the reconciler: new configurations and health transitions change the runtime
 * state, from which the reconciler gets the desired state. Sockets, signals and files are elsewhere.
 */
import { monotonic } from '../base/clock.ts';
import type { Config } from '../config/types.ts';
import type { HealthMonitor } from '../health/monitor.ts';
import type { Inability, TargetState, Transition } from '../health/types.ts';
import { serviceKeyText } from '../ipvs/index.ts';
import type { DriftFilter, KernelWriter, Obstacle } from '../plan/index.ts';
import type { Desired, Ownership } from '../plan/types.ts';
import {
  checkMessage,
  checksMessage,
  inabilityMessage,
  overrideMessage,
  overrideNoteText,
  quorumMessage,
  serverMessage,
} from './control/messages.ts';
import type { Reporter } from './control/reporter.ts';
import type { HookRunner } from './hooks/hooks.ts';
import { type DesiredCache, desiredState } from './model/desired-state.ts';
import type { DrainingServer } from './model/draining.ts';
import type { Override } from './model/overrides.ts';
import { RuntimeState } from './model/runtime-state.ts';
import { targets } from './model/targets.ts';
import { type VirtualService, virtualServices } from './model/virtual-services.ts';
import type { CookieSecret } from './reconcile/cookie-secret.ts';
import { type CycleResult, Reconciler, type Refresh } from './reconcile/reconciler.ts';
import type { Sysctls } from './reconcile/sysctls.ts';
import type { TableCache } from './reconcile/table-cache.ts';
import type { Snapshot } from './state/snapshot.ts';

export interface DaemonParts {
  table: TableCache;
  sysctls: Sysctls;
  cookieSecret: Pick<CookieSecret, 'follow'>;
  writer: KernelWriter;
  /** Undefined: no health checks (`run --once`). */
  monitor: HealthMonitor | undefined;
  reporter: Reporter;
  /** Undefined: no hooks (`run --once`). */
  hooks: HookRunner | undefined;
  /** Quorums have changed. */
  followQuorums?(): void;
  /** Requests that the state file is written. */
  saveSoon(): void;
  /** Writes the state file. Resolves when it is written. */
  saveNow(): Promise<void>;
  /** Writes the overrides to where they survive a reboot. Returns the reason, which is reported, if that failed. */
  saveOverrides(): Promise<string | undefined>;
  /** Features and devices that the desired state needs and the machine lacks. */
  obstacles(desired: Desired): Promise<readonly Obstacle[]>;
}

const NOTHING_DESIRED: Desired = {
  services: [],
  addresses: [],
  timeouts: { tcp: 0, tcpFin: 0, udp: 0 },
  syncDaemons: undefined,
};

export class Daemon {
  readonly runtime = new RuntimeState();
  readonly reconciler: Reconciler;
  readonly #parts: DaemonParts;
  readonly #desiredCache: DesiredCache = new WeakMap();
  #config: Config;
  /** Services that lvsd added or that the file has named: `serviceKeyText`s. */
  readonly #owned = new Set<string>();
  #transitions: Transition[] = [];
  #removing = false;

  constructor(config: Config, parts: DaemonParts) {
    this.#config = config;
    this.#parts = parts;
    this.reconciler = new Reconciler(
      parts.table,
      parts.writer,
      {
        retries: parts.monitor !== undefined,
        desired: () => this.#desired(),
        ownership: () => this.ownership,
        driftFilter: () => this.#driftFilter(),
        serviceName: (key) => this.runtime.services.find((service) => service.key === key)?.spec.name,
        onDeleted: (keys) => this.#disown(keys),
      },
      parts.reporter,
    );
    parts.monitor?.onTransition((transition) => this.#queueTransition(transition));
    parts.monitor?.onInability((id, inability) => this.#reportInability(id, inability));
    parts.monitor?.onNegotiated((id, negotiated) => {
      if (this.runtime.setNegotiated(id, negotiated)) this.reconciler.request();
    });
    parts.monitor?.onStop((stop) => parts.reporter.checks(checksMessage(stop), stop === undefined));
  }

  get config(): Config {
    return this.#config;
  }

  get ownership(): Ownership {
    return this.#config.manage === 'all' ? { all: true } : { all: false, services: this.#owned };
  }

  get owned(): ReadonlySet<string> {
    return this.#owned;
  }

  /** Applies the first configuration, with the state of a previous run. */
  async start(saved: Snapshot): Promise<CycleResult> {
    for (const key of saved.services) this.#owned.add(key);
    this.runtime.ownsSync = saved.sync;
    await this.#parts.table.read();
    const services = virtualServices(this.#config);
    this.runtime.configure(services, monotonic());
    this.runtime.restore(saved);
    this.runtime.adopt(this.#owned, (key) => this.#parts.table.service(key), monotonic());
    return this.#apply(async () => {
      this.#setTargets(services, saved.health);
      await this.#own(services);
    });
  }

  /** Applies another valid configuration. */
  reload(config: Config): Promise<CycleResult> {
    const prepare = async () => {
      const before = this.#config;
      this.#config = config;
      const services = virtualServices(config);
      const targetsChanged = this.runtime.configure(services, monotonic());
      if (targetsChanged || config.checkConcurrency !== before.checkConcurrency) this.#setTargets(services);
      this.reconciler.backoff.reset();
      await this.#own(services);
    };
    // `manage` determines ownership: after a change of it, the table is read instead of taken from the cache.
    return this.#apply(prepare, config.manage === this.#config.manage ? {} : { refresh: 'all' });
  }

  #setTargets(services: readonly VirtualService[], history?: ReadonlyMap<string, TargetState>): void {
    const { monitor } = this.#parts;
    const wanted = targets(
      services,
      (key) => this.#parts.table.service(key),
      (id) => monitor?.state(id),
      (id) => this.runtime.inherited(id),
    );
    monitor?.configure(wanted, history);
    for (const target of wanted) {
      const known = monitor ? monitor.state(target.id) : history?.get(target.id);
      this.runtime.setTarget(target.id, known?.up ?? target.initiallyUp);
      this.runtime.setNegotiated(target.id, monitor?.negotiated(target.id) ?? 0);
    }
    this.runtime.keepTargets(new Set(wanted.map(({ id }) => id)));
  }

  async #apply(prepare: () => Promise<void>, options: { refresh?: Refresh } = {}): Promise<CycleResult> {
    const result = await this.reconciler.runAfter(prepare, options);
    await this.#followOverrides();
    await this.#reportObstacles();
    if (!this.reconciler.paused) {
      if (this.#parts.sysctls.configure(this.#config)) this.#parts.saveSoon();
      await this.#parts.cookieSecret.follow(this.#config);
    }
    this.#disownMissing();
    return result;
  }

  /** Logs a line for each feature that the kernel lacks, besides the errors of each service that needs it. */
  async #reportObstacles(): Promise<void> {
    // A read error is reported by the cycle.
    const found = await this.#parts.obstacles(this.#desired()).catch(() => []);
    for (const { text, kernel } of found) if (kernel) this.#parts.reporter.log('kernel', 'error', text);
  }

  /** Records ownership before the kernel has the services: it must survive a crash in between. */
  async #own(services: readonly VirtualService[]): Promise<void> {
    const before = this.#owned.size;
    for (const { key } of services) this.#owned.add(key);
    const sync = this.#config.connectionSync !== undefined && !this.runtime.ownsSync;
    if (sync) this.runtime.ownsSync = true;
    this.#updateQuorums();
    if (this.#owned.size > before || sync) await this.#parts.saveNow();
    else this.#parts.saveSoon();
  }

  /** Transitions come in bursts (a rack fails): they are handled together, in one cycle. */
  #queueTransition(transition: Transition): void {
    this.#transitions.push(transition);
    if (this.#transitions.length === 1) setImmediate(() => this.#applyTransitions());
  }

  #applyTransitions(): void {
    const { reporter, hooks, saveSoon } = this.#parts;
    for (const transition of this.#transitions.splice(0)) {
      const affected = this.runtime
        .users(transition.id)
        .flatMap((service) =>
          service.realServers
            .filter(({ targets }) => targets.some(({ id }) => id === transition.id))
            .map((server) => ({ service, server, wasDown: this.runtime.isDown(server) })),
        );
      this.runtime.setTarget(transition.id, transition.up);
      for (const { service, server, wasDown } of affected) {
        // With several checks, the other ones may keep it down.
        if (server.targets.length === 1 || this.runtime.isDown(server) !== wasDown) {
          reporter.server(serverMessage(service, server, transition), transition.up);
          hooks?.server(service, server, transition);
        } else reporter.check(checkMessage(service, server, transition));
      }
    }
    this.#updateQuorums();
    saveSoon();
    this.reconciler.request();
  }

  #reportInability(id: string, inability: Inability | undefined): void {
    for (const service of this.runtime.users(id))
      for (const server of service.realServers)
        if (server.targets.some((target) => target.id === id))
          this.#parts.reporter.inability(inabilityMessage(service, server, id, inability), inability === undefined);
  }

  #updateQuorums(): void {
    let changed = false;
    for (const change of this.runtime.updateQuorums()) {
      this.#parts.reporter.quorum(quorumMessage(change), change.up);
      this.#parts.hooks?.quorum(change);
      changed = true;
    }
    if (changed) this.#parts.followQuorums?.();
  }

  /** This node has become master of a virtual router, or is no longer. Connection sync follows. */
  setMaster(instance: string, master: boolean): void {
    const { masters } = this.runtime;
    if (masters.has(instance) === master) return;
    this.runtime.masters = new Set(master ? [...masters, instance] : [...masters].filter((one) => one !== instance));
    if (this.#config.connectionSync?.follow === instance) this.reconciler.request();
  }

  /**
   * Sets or ends overrides. Resolves when they are saved and the kernel has the change. `unchanged`: nothing to end.
   */
  async override(
    overrides: readonly Override[],
    on: boolean,
  ): Promise<CycleResult & { unsaved: string | undefined; unchanged: Override[] }> {
    const unchanged: Override[] = [];
    for (const { service, ...rest } of overrides) {
      const virtuals = this.runtime.services.filter(({ spec }) => spec.name === service).map(({ key }) => key);
      const override = { service, ...rest, virtuals };
      if (this.runtime.setOverride(override, on)) this.#parts.reporter.override(overrideMessage(override, on), on);
      else if (!on) unchanged.push(override);
    }
    const unsaved = await this.#parts.saveOverrides();
    this.#parts.saveSoon();
    this.#updateQuorums();
    return { ...(await this.reconciler.run()), unsaved, unchanged };
  }

  /** Reports what a configuration changed for overrides. */
  async #followOverrides(): Promise<void> {
    const notes = this.runtime.takeOverrideNotes();
    for (const note of notes) {
      const { service, server } = note.override;
      this.#parts.reporter.log('control', 'warn', overrideNoteText(note), { service, address: server });
    }
    if (notes.some(({ change }) => change === 'renamed')) await this.#parts.saveOverrides();
  }

  /**
   * Watches the settings of the kernel, and ends drains of local addresses and real servers that have no connections
   * left or whose time is over. Call it about once a second; `now` as of monotonic().
   */
  async tick(now: number): Promise<void> {
    if (!this.reconciler.paused && this.#parts.sysctls.watch()) this.#parts.saveSoon();
    const { draining } = this.runtime;
    if (draining.length === 0 && this.reconciler.waiting.length === 0) return;
    const keys = new Map(this.reconciler.waiting.map(({ service }) => [serviceKeyText(service), service]));
    const services = new Map(this.runtime.services.map((service) => [service.key, service]));
    for (const { service: key } of draining) {
      const config = services.get(key)?.config;
      if (config) keys.set(key, config);
    }
    await this.#parts.table.readServices([...keys.values()]);
    if (this.runtime.expire(now, (server) => this.#isIdle(server)) > 0) this.#parts.saveSoon();
    this.reconciler.request();
  }

  #isIdle({ service: key, destination }: DrainingServer): boolean {
    const service = this.#parts.table.service(key);
    const actual = service?.destinations.find(
      (one) => one.port === destination.port && Buffer.compare(one.address, destination.address) === 0,
    );
    return service !== undefined && (!actual || actual.activeConnections + actual.inactiveConnections === 0);
  }

  /** Removes everything that lvsd added (`on_stop: remove`). */
  async removeAll(): Promise<CycleResult> {
    this.#removing = true;
    const result = await this.reconciler.run();
    this.#parts.sysctls.restore();
    return result;
  }

  get sysctls(): Sysctls {
    return this.#parts.sysctls;
  }

  /** With `manage: named`, changes of services that lvsd does not own are not reported. */
  #driftFilter(): DriftFilter {
    const sync = this.#config.connectionSync !== undefined;
    return this.#config.manage === 'all' ? { sync } : { sync, service: (key) => this.#owned.has(key) };
  }

  #desired(): Desired {
    if (this.#removing) return this.runtime.ownsSync ? { ...NOTHING_DESIRED, syncDaemons: [] } : NOTHING_DESIRED;
    return desiredState(this.#config, this.runtime, this.#desiredCache);
  }

  /** Forgets services that are in neither the file nor the kernel: another program may add them and own them. */
  #disownMissing(): void {
    const none = this.#config.connectionSync === undefined && this.#parts.table.actual?.syncDaemons?.length === 0;
    if (none) this.runtime.ownsSync = false;
    const named = new Set(this.runtime.services.map(({ key }) => key));
    for (const key of this.#owned) if (!named.has(key) && !this.#parts.table.service(key)) this.#owned.delete(key);
  }

  #disown(keys: readonly string[]): void {
    if (keys.length === 0) return;
    const named = new Set(this.runtime.services.map(({ key }) => key));
    for (const key of keys) if (this.#removing || !named.has(key)) this.#owned.delete(key);
    this.#parts.saveSoon();
  }
}
