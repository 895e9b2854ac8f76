// SPDX-License-Identifier: MIT
/** VRRP in the daemon: gives the process its configuration, reports transitions, answers lvsctl. */
import { steady, wallTime } from '../base/clock.ts';
import { errorLine } from '../base/error-line.ts';
import { LvsdError, UsageError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Tally, type TallyRow } from '../base/tally.ts';
import type { Config } from '../config/types.ts';
import type { Kind } from '../control/events/kinds.ts';
import type { VrrpStatus, VrrpSummary } from '../control/messages.ts';
import type { StatsSummary } from '../control/metrics/stats.ts';
import type { TargetStates } from '../health/types.ts';
import type { EventName, FromVrrp, InstanceStatus, LastMessage } from '../vrrp/messages.ts';
import { VrrpProcess } from '../vrrp/process.ts';
import { withdraw } from '../vrrp/withdraw.ts';
import type { Reporter } from './control/reporter.ts';
import type { RuntimeState } from './model/runtime-state.ts';
import { trackedChecked, trackedServices, vrrpInstances } from './model/vrrp-instances.ts';

/** Milliseconds to wait for the process's answer. */
const ANSWER_TIME = 2000;
/** Milliseconds between two looks at first results of checks, and after which they are not waited for. */
const RESULTS_INTERVAL = 500;
const RESULTS_TIME = 60_000;

export interface VrrpNumbers {
  instances: StatsSummary['vrrp'];
  lateness: StatsSummary['vrrpLateness'];
  /** By instance and new state, since lvsd started. */
  transitions: readonly TallyRow[];
  pid: number | undefined;
  restarts: number;
}

export interface VrrpParts {
  runtime: RuntimeState;
  /** Health states of all targets. */
  states: () => Promise<TargetStates>;
  reporter: Reporter;
  log: Log;
  /** This node has become master of an instance, or is no longer. */
  onRole(instance: string, master: boolean): void;
  /** Saves the adverts of priority 0 of the instances of which this node is master. */
  saveLastMessages(messages: readonly LastMessage[]): Promise<void>;
}

const EVENT_KINDS = {
  contested: 'vrrp.contested',
  'two-owners': 'vrrp.two_owners',
  'address-restored': 'vrrp.address_restored',
  interval: 'vrrp.interval',
  priority: 'vrrp.priority',
} as const satisfies Record<EventName, Kind>;

export class Vrrp {
  readonly #process: VrrpProcess;
  readonly #runtime: RuntimeState;
  readonly #states: VrrpParts['states'];
  /** The first checks of the tracked services have been made. */
  #checked = false;
  #awaiting = false;
  #stopped = false;
  #wait: NodeJS.Timeout | undefined;
  readonly #reporter: Reporter;
  readonly #log: Log;
  readonly #onRole: VrrpParts['onRole'];
  /** Instances of which this node is master. */
  readonly #masters = new Set<string>();
  #config: Config | undefined;
  /** The state of each instance, since when, by the clock `steady()`, and why. */
  readonly #since = new Map<string, { at: number; state: VrrpSummary['state']; reason: string }>();
  /** By instance and new state. */
  readonly #transitions = new Tally();
  readonly #waiting = new Map<number, (list: InstanceStatus[]) => void>();
  #requests = 0;
  /** The last write of the adverts. */
  #saved: Promise<void> = Promise.resolve();
  #used = false;

  constructor({ runtime, states, reporter, log, onRole, saveLastMessages }: VrrpParts) {
    this.#runtime = runtime;
    this.#states = states;
    this.#reporter = reporter;
    this.#log = log;
    this.#onRole = onRole;
    this.#process = new VrrpProcess({
      log,
      onMessage: (message) => this.#receive(message),
      onEnd: () => this.#endRoles(),
      onLastMessages: (messages) => {
        this.#saved = saveLastMessages(messages).catch((error: unknown) =>
          log.warn(`VRRP: lvsd withdraw will not send priority 0: ${errorLine(error)}`),
        );
      },
    });
  }

  /** Starts the process if the file has instances; once it runs, it stays. */
  configure(config: Config): void {
    const first = this.#config === undefined;
    this.#config = config;
    for (const name of this.#since.keys()) if (!config.vrrp.has(name)) this.#since.delete(name);
    this.#used ||= config.vrrp.size > 0;
    if (!this.#used) {
      if (first) void this.#removeLeftovers();
      return;
    }
    if (!this.#awaiting) {
      this.#awaiting = true;
      void this.#awaitResults(performance.now() + RESULTS_TIME);
    }
    this.followQuorums();
    this.#process.configure(vrrpInstances(config));
  }

  /** A file without virtual routers: no process removes the addresses that an earlier, killed one left. */
  async #removeLeftovers(): Promise<void> {
    const removed = await withdraw([], (text) => this.#log.warn(`VRRP: ${text}`));
    if (removed > 0) this.#log.info(`VRRP: addresses of a killed lvsd with virtual routers removed: ${removed}`);
  }

  /** Tells the process which of the tracked services have their quorum. */
  followQuorums(): void {
    if (this.#config !== undefined && this.#used) {
      this.#process.services(trackedServices(this.#config, this.#runtime), this.#checked);
    }
  }

  /** Looks for first results until all are there: a node that cannot serve yet must not preempt. */
  async #awaitResults(until: number): Promise<void> {
    const states = await this.#states();
    if (this.#stopped) return;
    const config = this.#config;
    this.#checked = config === undefined || performance.now() > until || trackedChecked(config, this.#runtime, states);
    if (this.#checked) this.followQuorums();
    else this.#wait = setTimeout(() => void this.#awaitResults(until), RESULTS_INTERVAL);
  }

  /** All instances leave their role; resolves when their addresses have been removed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#wait);
    if (this.#used) await this.#process.stop();
    this.#endRoles();
    await this.#saved;
  }

  /** The process has ended: this node is master of nothing. */
  #endRoles(): void {
    this.#since.clear();
    for (const instance of [...this.#masters]) this.#setRole(instance, false);
  }

  #setRole(instance: string, master: boolean): void {
    if (master) this.#masters.add(instance);
    else this.#masters.delete(instance);
    this.#onRole(instance, master);
  }

  /** The last transition of each instance. */
  summary(): VrrpSummary[] {
    return [...(this.#config?.vrrp.keys() ?? [])].map((name) => {
      const { at, state = 'init', reason = '' } = this.#since.get(name) ?? {};
      return { name, state, since: at === undefined ? undefined : wallTime(at), reason };
    });
  }

  /** Throws UsageError for an unknown name, LvsdError if the process does not answer. */
  async status(name?: string): Promise<VrrpStatus[]> {
    this.#require(name);
    if (this.#config === undefined || !this.#used) return [];
    return this.#statuses(await this.#ask(), name);
  }

  /** For metrics. No instances if the process does not answer: the rest of lvsd has numbers nevertheless. */
  async numbers(): Promise<VrrpNumbers> {
    let list: InstanceStatus[] = [];
    try {
      if (this.#config !== undefined && this.#used) list = await this.#ask();
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
    }
    const details = new Map(list.map((one) => [one.name, one]));
    return {
      instances: this.#statuses(list).map(({ name, state, configuredPriority, priority, addresses, counters }) => ({
        name,
        state,
        priority: configuredPriority,
        effectivePriority: priority,
        addresses: addresses.length,
        counters,
        lastAdvert: (details.get(name)?.lastAdvert ?? 0) / 1000,
      })),
      lateness: list.map(({ name, lateness }) => [name, lateness] as const),
      transitions: this.#transitions.rows,
      pid: this.#process.pid,
      restarts: this.#process.restarts,
    };
  }

  #statuses(list: readonly InstanceStatus[], name?: string): VrrpStatus[] {
    const config = this.#config;
    if (config === undefined) return [];
    return list
      .filter((one) => name === undefined || one.name === name)
      .flatMap((one) => {
        const instance = config.vrrp.get(one.name);
        if (instance === undefined) return [];
        const since = this.#since.get(one.name);
        return {
          name: one.name,
          state: one.phase,
          since: since && wallTime(since.at),
          reason: one.faults[0] ?? since?.reason ?? '',
          interface: instance.device,
          family: instance.family === 2 ? 'ipv4' : 'ipv6',
          version: instance.version,
          virtualRouterId: instance.virtualRouterId,
          group: instance.group,
          priority: one.priority,
          configuredPriority: instance.priority,
          interval: instance.interval,
          unicast: instance.peers !== undefined,
          addresses: vrrpInstances(config)
            .filter((other) => other.name === one.name)
            .flatMap((other) => [...other.addresses, ...other.extraAddresses])
            .map(({ address, prefix, device = instance.device }) => ({ address, prefix, device })),
          faults: one.faults,
          tracked: one.tracked,
          counters: one.counters,
          lastRejected: one.lastRejected,
        } satisfies VrrpStatus;
      });
  }

  /** The instance gives its addresses away and does not preempt for `hold` milliseconds. */
  yield(name: string, hold: number): void {
    this.#require(name);
    this.#process.send({ type: 'yield', instance: name, hold });
  }

  /** A master announces its addresses again. */
  announce(name: string): void {
    this.#require(name);
    this.#process.send({ type: 'announce', instance: name });
  }

  #require(name: string | undefined): void {
    if (name !== undefined && !this.#config?.vrrp.has(name))
      throw new UsageError(`there is no VRRP instance ${name}: lvsctl vrrp lists the instances`);
  }

  #ask(): Promise<InstanceStatus[]> {
    this.#requests += 1;
    const request = this.#requests;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(request);
        reject(new LvsdError('ERR_LVSD_VRRP', 'the VRRP process does not answer; the log of lvsd says why'));
      }, ANSWER_TIME);
      this.#waiting.set(request, (list) => {
        clearTimeout(timer);
        resolve(list);
      });
      this.#process.send({ type: 'status', request });
    });
  }

  #receive(message: FromVrrp): void {
    switch (message.type) {
      case 'state': {
        const { instance, to, reason } = message;
        this.#since.set(instance, { at: steady(), state: to, reason });
        this.#transitions.add(instance, to);
        const severe = to === 'fault';
        const fields = { instance, state: to, reason };
        this.#reporter.vrrp('vrrp.state', { text: `is ${to}: ${reason}`, fields }, !severe);
        break;
      }
      case 'role':
        this.#setRole(message.instance, message.master);
        break;
      case 'event': {
        const { instance, event, reason } = message;
        const fields = { instance, state: event, reason };
        this.#reporter.vrrp(EVENT_KINDS[event], { text: reason, fields }, event === 'priority');
        break;
      }
      case 'status':
        this.#waiting.get(message.request)?.(message.instances);
        this.#waiting.delete(message.request);
        break;
      case 'log':
        this.#log[message.level](message.text);
        break;
    }
  }
}
