// SPDX-License-Identifier: MIT
/**
 * The daemon's middle: a configuration and the news from the checks come in, wishes to the reconciler go out. Sockets,
 * signals and files are elsewhere.
 */

import type { Config } from '../config/types.ts';
import type { HealthMonitor } from '../health/monitor.ts';
import type { TargetState, Transition } from '../health/types.ts';
import { serviceKeyText } from '../ipvs/index.ts';
import type { Concerns } from '../plan/index.ts';
import type { Desired, Ownership } from '../plan/types.ts';
import { quorumText, transitionText } from './control/messages.ts';
import type { Reporter } from './control/reporter.ts';
import { desired } from './model/desired-state.ts';
import type { Leaving } from './model/draining.ts';
import { type Override, Situation } from './model/runtime-state.ts';
import { targets } from './model/targets.ts';
import { type Entry, roster } from './model/virtual-services.ts';
import { type CycleResult, type Look, Reconciler } from './reconcile/reconciler.ts';
import type { KnownTable } from './reconcile/table-cache.ts';
import type { Memory } from './state/snapshot.ts';

export interface Parts {
  table: KnownTable;
  changer: ConstructorParameters<typeof Reconciler>[1];
  /** Undefined: nothing is checked (`run --once`). */
  monitor: HealthMonitor | undefined;
  reporter: Reporter;
  /** Something changed that a restart should know of. */
  saveSoon(): void;
  /** Resolves when a restart would know. */
  saveNow(): Promise<void>;
}

const NONE: Desired = { services: [], addresses: [], timeouts: { tcp: 0, tcpFin: 0, udp: 0 } };

export class Daemon {
  readonly situation = new Situation();
  readonly reconciler: Reconciler;
  readonly #parts: Parts;
  #config: Config;
  /** What lvsd made, or the file has named: `serviceKeyText`s. */
  readonly #remembered = new Set<string>();
  #news: Transition[] = [];
  #leavingAll = false;

  constructor(config: Config, parts: Parts) {
    this.#config = config;
    this.#parts = parts;
    this.reconciler = new Reconciler(
      parts.table,
      parts.changer,
      {
        desired: () => this.#desired(),
        ownership: () => this.ownership,
        concerns: () => this.#concerns(),
        forget: (keys) => this.#forget(keys),
      },
      parts.reporter,
    );
    parts.monitor?.onTransition((transition) => this.#hear(transition));
  }

  get config(): Config {
    return this.#config;
  }

  get ownership(): Ownership {
    return this.#config.manage === 'all' ? { all: true } : { all: false, services: this.#remembered };
  }

  get remembered(): ReadonlySet<string> {
    return this.#remembered;
  }

  /** The first configuration, with what is known from before. */
  async start(memory: Memory): Promise<CycleResult> {
    for (const key of memory.services) this.#remembered.add(key);
    await this.#parts.table.read();
    const entries = roster(this.#config);
    this.situation.configure(entries, Date.now());
    this.situation.restore(memory);
    this.situation.adopt(this.#remembered, (key) => this.#parts.table.service(key), Date.now());
    return this.#configured(async () => {
      this.#setTargets(entries, memory.health);
      await this.#own(entries);
    });
  }

  /** Another configuration, already validated: the difference is carried out. */
  reload(config: Config): Promise<CycleResult> {
    const prepare = async () => {
      const before = this.#config;
      this.#config = config;
      const entries = roster(config);
      const others = this.situation.configure(entries, Date.now());
      if (others || config.checkConcurrency !== before.checkConcurrency) this.#setTargets(entries);
      this.reconciler.backoff.reset();
      await this.#own(entries);
    };
    // What is not in the file has become lvsd's, or no longer is: what is there counts, not what was there a while ago.
    return this.#configured(prepare, config.manage === this.#config.manage ? {} : { look: 'all' });
  }

  /** Checks what the entries want checked, from now on. */
  #setTargets(entries: readonly Entry[], history?: ReadonlyMap<string, TargetState>): void {
    const { monitor } = this.#parts;
    const wanted = targets(
      entries,
      (key) => this.#parts.table.service(key),
      (id) => monitor?.state(id),
      (id) => this.situation.inherited(id),
    );
    monitor?.configure(wanted, history);
    for (const target of wanted) {
      const known = monitor ? monitor.state(target.id) : history?.get(target.id);
      this.situation.setTarget(target.id, known?.up ?? target.initiallyUp);
    }
    this.situation.keepTargets(new Set(wanted.map(({ id }) => id)));
  }

  async #configured(prepare: () => Promise<void>, options: { look?: Look } = {}): Promise<CycleResult> {
    const result = await this.reconciler.change(prepare, options);
    this.#forgetVanished();
    return result;
  }

  /** Before the kernel has any of it: after a crash in between it must count as ours. */
  async #own(entries: readonly Entry[]): Promise<void> {
    const owned = this.#remembered.size;
    for (const { key } of entries) this.#remembered.add(key);
    this.#settleQuorums();
    if (this.#remembered.size > owned) await this.#parts.saveNow();
    else this.#parts.saveSoon();
  }

  /** What checks say comes in bursts (a rack dies): one look at the quorums and one cycle for all of it. */
  #hear(transition: Transition): void {
    this.#news.push(transition);
    if (this.#news.length === 1) setImmediate(() => this.#digest());
  }

  #digest(): void {
    for (const transition of this.#news.splice(0)) {
      this.situation.setTarget(transition.id, transition.up);
      for (const entry of this.situation.users(transition.id)) {
        for (const member of entry.members) {
          if (member.target?.id !== transition.id) continue;
          this.#parts.reporter.server(entry.spec.name, transitionText(entry, member, transition), transition.up);
        }
      }
    }
    this.#settleQuorums();
    this.#parts.saveSoon();
    this.reconciler.request();
  }

  #settleQuorums(): void {
    for (const change of this.situation.settleQuorums())
      this.#parts.reporter.quorum(change.entry.spec.name, quorumText(change), change.up);
  }

  /** Drains or takes back; resolves once the kernel has it. */
  async override(overrides: readonly Override[], on: boolean): Promise<CycleResult> {
    for (const override of overrides) {
      if (!this.situation.setOverride(override, on)) continue;
      const what = on ? 'drained by the operator' : 'no longer drained';
      this.#parts.reporter.override(override.service, `real server ${override.server} ${what}`);
    }
    this.#parts.saveSoon();
    this.#settleQuorums();
    return this.reconciler.run();
  }

  /**
   * Looks after what waits for connections to end: local addresses that drain, real servers that leave. To be called
   * every second or so.
   */
  async tick(now: number): Promise<void> {
    const { leaving } = this.situation;
    if (leaving.length === 0 && this.reconciler.waiting.length === 0) return;
    const keys = new Map(this.reconciler.waiting.map(({ service }) => [serviceKeyText(service), service]));
    const entries = new Map(this.situation.roster.map((entry) => [entry.key, entry]));
    for (const { entry } of leaving) {
      const service = entries.get(entry)?.service;
      if (service) keys.set(entry, service);
    }
    await this.#parts.table.refreshServices([...keys.values()]);
    if (this.situation.release(now, (one) => this.#idle(one)) > 0) this.#parts.saveSoon();
    this.reconciler.request();
  }

  #idle({ entry, destination }: Leaving): boolean {
    const service = this.#parts.table.service(entry);
    const there = service?.destinations.find(
      (one) => one.port === destination.port && Buffer.compare(one.address, destination.address) === 0,
    );
    return service !== undefined && (there === undefined || there.activeConnections + there.inactiveConnections === 0);
  }

  /** Takes away everything that lvsd made (`on_stop: remove`). */
  async removeAll(): Promise<CycleResult> {
    this.#leavingAll = true;
    return this.reconciler.run();
  }

  /** Under `named` what others do with what is theirs is not ours to tell. */
  #concerns(): Concerns {
    return this.#config.manage === 'all' ? {} : { service: (key) => this.#remembered.has(key) };
  }

  #desired(): Desired {
    return this.#leavingAll ? NONE : desired(this.#config, this.situation);
  }

  /** What neither the file names nor the kernel has is nobody's: who makes it anew later owns it. */
  #forgetVanished(): void {
    const named = new Set(this.situation.roster.map(({ key }) => key));
    for (const key of this.#remembered)
      if (!named.has(key) && !this.#parts.table.service(key)) this.#remembered.delete(key);
  }

  #forget(keys: readonly string[]): void {
    if (keys.length === 0) return;
    const named = new Set(this.situation.roster.map(({ key }) => key));
    for (const key of keys) if (this.#leavingAll || !named.has(key)) this.#remembered.delete(key);
    this.#parts.saveSoon();
  }
}
