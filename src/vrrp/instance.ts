// SPDX-License-Identifier: MIT
/** One virtual router at work: feeds its state machine, carries out the actions, and keeps one timer. */

import { readFileSync } from 'node:fs';
import { AF_INET, AF_INET6, type Family, formatAddress } from '../base/addresses.ts';
import { HistogramCounts, LATENESS_BOUNDS } from '../base/histogram.ts';
import type { DeviceAddress, Link } from '../net/index.ts';
import { type AcceptedAdvert, type Expectations, listDiffers } from './acceptance.ts';
import type { Announcement, Announcer } from './announcer.ts';
import { addressBytes, type InstanceConfiguration, type PlacedAddress } from './configuration.ts';
import { EventReports } from './event-reports.ts';
import { faultsOf, initialState, step } from './machine.ts';
import type { EventName, LastMessage, LastRejection } from './messages.ts';
import { encodeAdvertisement, GROUP_IPV4, GROUP_IPV6, PASSWORD_LENGTH } from './packet.ts';
import { Placement } from './placement.ts';
import { type Dependence, dependence, type ServiceStates, type TrackedState } from './tracking.ts';
import type { Action, Event, Phase, State } from './types.ts';

/** Microseconds of the monotonic clock. */
export const now = (): number => Math.floor(Number(process.hrtime.bigint()) / 1000);

export interface Surroundings {
  placement: Placement;
  announcer: Announcer;
  /** Sends a message on the socket of the interface; throws SystemError. */
  transmit(device: string, family: Family, message: Uint8Array, source: Uint8Array, destination: Uint8Array): void;
  /** Processes every message that waits in any socket. */
  drain(): void;
  report(instance: string, report: Report): void;
  log(text: string): void;
  /** Brings the other members of a group to the same role. */
  settle(group: string): void;
  /** This node has become master of the instance, or is no longer. */
  role(instance: string, master: boolean): void;
  /** Leaves messages with the daemon, for the case that this process dies. */
  deposit(instance: string, messages: LastMessage[]): void;
}

/** A transition, or another event. */
export type Report = { event: 'state'; from: Phase; to: Phase; reason: string } | { event: EventName; reason: string };

/** The part of the machine that an instance depends on. */
export interface Facts {
  links: readonly Link[];
  addresses: readonly DeviceAddress[];
  services: ServiceStates;
  /** The first results of health checks are in. */
  checked: boolean;
  /** Since when links have carrier, by name. */
  carrierSince: ReadonlyMap<string, number>;
}

export const NO_FACTS: Facts = {
  links: [],
  addresses: [],
  services: new Map(),
  checked: false,
  carrierSince: new Map(),
};

export class Instance {
  readonly #surroundings: Surroundings;
  readonly counters = new Map<string, number>();
  /** Seconds by which the timer ran late. */
  readonly lateness = new HistogramCounts(LATENESS_BOUNDS);
  /** When the last advert was received, in milliseconds since the epoch. */
  lastAdvert: number | undefined;
  /** The last message for this instance that acceptance rejected. */
  lastRejected: LastRejection | undefined;
  #configuration: InstanceConfiguration;
  #state: State;
  #facts = NO_FACTS;
  #dependence: Dependence;
  #timer: NodeJS.Timeout | undefined;
  /** The role and source address of the last deposit; undefined: it must be renewed. */
  #deposited: string | undefined = '0 ';
  /** Events that other routers cause. */
  readonly #events = new EventReports<EventName>((event, reason) =>
    this.#surroundings.report(this.#configuration.name, { event, reason }),
  );
  /** True once a difference of address lists was reported. */
  #listReported = false;

  constructor(configuration: InstanceConfiguration, surroundings: Surroundings) {
    this.#configuration = configuration;
    this.#surroundings = surroundings;
    this.#state = initialState(configuration.settings, undefined, configuration.waitsForChecks !== true);
    this.#dependence = this.#depend();
  }

  get configuration(): InstanceConfiguration {
    return this.#configuration;
  }

  get state(): State {
    return this.#state;
  }

  get faults(): string[] {
    return this.#state.phase === 'fault' ? faultsOf(this.#state) : [];
  }

  get tracked(): TrackedState[] {
    return this.#dependence.tracked;
  }

  /** Takes a new configuration of the same identity. New addresses are placed before old ones are removed. */
  configure(configuration: InstanceConfiguration): void {
    const [before, { name: oldName }] = [this.#all, this.#configuration];
    if (configuration.name !== oldName) this.#forgetName(oldName);
    this.#configuration = configuration;
    const { settings, interface: device } = configuration;
    // The messages list addresses, and go to peers: they may be others now.
    this.#deposited = undefined;
    const [added, removed] = [without(this.#all, before), without(before, this.#all)];
    const addresses = added.length + removed.length > 0;
    if (addresses && this.#state.phase === 'master') {
      void this.#surroundings.placement.place(added, device);
      void this.#surroundings.placement.withdraw(removed, device);
    }
    this.#dependence = this.#depend();
    const { causes, priority } = this.#dependence;
    this.#apply({ kind: 'configure', settings, priority, addresses });
    this.#apply({ kind: 'causes', causes });
    if (configuration.group === undefined) this.#apply({ kind: 'group-fault', cause: undefined });
    this.#becomeReady();
  }

  /** The daemon knows the role and the last messages of an instance by its name. */
  #forgetName(name: string): void {
    this.#surroundings.announcer.cancel(name);
    this.#surroundings.role(name, false);
    this.#surroundings.deposit(name, []);
  }

  /** Reports role and last messages under a new name, once no other instance has that name any more. */
  introduce(): void {
    this.#surroundings.role(this.#configuration.name, this.#state.phase === 'master');
    this.#deposited = undefined;
    this.#deposit();
  }

  /** What received messages are checked against; undefined while there is no source address. */
  get expectations(): Expectations | undefined {
    const { source } = this.#state;
    const { family, settings, peers, fromAnywhere, checksumWithoutPseudoHeader } = this.#configuration;
    if (source === undefined) return undefined;
    return {
      version: settings.version,
      family,
      interval: settings.interval,
      own: source,
      group: peers === undefined ? this.#group : undefined,
      peers: peers?.map(({ address, ...ttl }) => ({ address: addressBytes(address), ...ttl })),
      fromAnywhere,
      password: this.#password,
      checksumWithoutPseudoHeader,
    };
  }

  get #group(): Uint8Array {
    return this.#configuration.family === AF_INET ? GROUP_IPV4 : GROUP_IPV6;
  }

  get #password(): Uint8Array | undefined {
    const { password } = this.#configuration;
    if (password === undefined) return undefined;
    const bytes = Buffer.alloc(PASSWORD_LENGTH);
    bytes.write(password);
    return bytes;
  }

  /** Starts with the facts that `observe` has got. */
  start(): void {
    this.#apply({ kind: 'start' });
  }

  /** Leaves the role; the promise resolves when the addresses have been withdrawn. */
  async stop(): Promise<void> {
    this.#apply({ kind: 'stop' });
    this.#events.close();
    await this.#surroundings.placement.withdraw([], this.#configuration.interface);
  }

  /** `hold`: microseconds without preemption. */
  yield(hold: number): void {
    this.#apply({ kind: 'yield', hold });
  }

  /** Takes new facts of the machine: faults, the source address, lost addresses. */
  observe(facts: Facts): void {
    this.#facts = facts;
    const { interface: name } = this.#configuration;
    const since = facts.carrierSince.get(name);
    if (since !== undefined && since !== this.#state.carrierSince) this.#apply({ kind: 'carrier', since });
    this.track(facts);
    const source = this.#findSource();
    if (!equal(source, this.#state.source)) this.#apply({ kind: 'source', source });
    if (this.#state.phase !== 'master') return;
    const lost = this.#all.filter((one) => !Placement.has(facts.addresses, one, name)).map(({ address }) => address);
    if (lost.length > 0) this.#apply({ kind: 'address-lost', addresses: lost });
  }

  /** Takes the state of services. Addresses are not looked at: those that are known may be out of date. */
  track({ services, checked }: Pick<Facts, 'services' | 'checked'>): void {
    this.#facts = { ...this.#facts, services, checked };
    this.#becomeReady();
    this.#dependence = this.#depend();
    const { causes, priority, reasons } = this.#dependence;
    if (causes.join() !== this.#state.causes.join()) this.#apply({ kind: 'causes', causes });
    if (priority === this.#state.priority) return;
    const why = reasons.length === 0 ? '' : `: ${reasons.join(', ')}`;
    this.#surroundings.report(this.#configuration.name, { event: 'priority', reason: `priority ${priority}${why}` });
    this.#apply({ kind: 'priority', priority });
  }

  #becomeReady(): void {
    const ready = this.#facts.checked || this.#configuration.waitsForChecks !== true;
    if (ready && !this.#state.ready) this.#apply({ kind: 'ready' });
  }

  #depend(): Dependence {
    const { interface: own, settings, track } = this.#configuration;
    const { links, services } = this.#facts;
    return dependence({ interface: own, priority: settings.priority, track }, links, services);
  }

  /** The configured source, or the lowest usable address of the interface that is not a virtual one. */
  #findSource(): Uint8Array | undefined {
    const { family, interface: device, source } = this.#configuration;
    const usable = this.#facts.addresses.filter(
      (one) => one.device === device && one.family === family && !one.ours && !one.tentative,
    );
    if (source !== undefined) {
      const wanted = addressBytes(source);
      return usable.find(({ address }) => Buffer.compare(address, wanted) === 0)?.address;
    }
    // RFC 9568 section 5.1.2.1: adverts of IPv6 come from a link-local address.
    const local = usable.filter(({ address }) => family === AF_INET || isLinkLocal(address));
    return local.map(({ address }) => address).sort(Buffer.compare)[0];
  }

  /** An accepted advert that the kernel received `age` microseconds ago. */
  receive({ priority, interval, source, addresses }: AcceptedAdvert, age: number): void {
    const { family, addresses: own } = this.#configuration;
    const advert: AcceptedAdvert = { priority, interval, source, addresses };
    const differs = listDiffers(
      advert,
      own.map(({ address }) => addressBytes(address)),
    );
    if (differs && !this.#listReported) {
      this.#surroundings.log(
        `${this.#configuration.name}: ${formatAddress(family, source)} advertises other addresses; keepalived before 2.3 would drop such adverts`,
      );
    }
    this.#listReported = differs;
    this.#apply({ kind: 'advert', advert: { priority, interval, source, at: now() - age } });
  }

  count(counter: string): void {
    this.counters.set(counter, (this.counters.get(counter) ?? 0) + 1);
  }

  /** An event from its group. */
  handle(event: Event): void {
    this.#apply(event);
  }

  /** A master sends an advert and announces its addresses again. */
  announce(): void {
    this.#apply({ kind: 'link-changed' });
  }

  #apply(event: Event): void {
    const { state, actions } = step(this.#state, event, now());
    this.#state = state;
    for (const action of actions) this.#carryOut(action);
    this.#arm();
    this.#deposit();
    const { group } = this.#configuration;
    if (group !== undefined) this.#surroundings.settle(group);
  }

  /** Renews what the daemon sends if this process dies, when the role or the source address has changed. */
  #deposit(): void {
    const { phase, source } = this.#state;
    const list = phase === 'master' ? this.#encode(0) : [];
    const key = `${list.length} ${source === undefined ? '' : formatAddress(this.#configuration.family, source)}`;
    if (key === this.#deposited) return;
    this.#deposited = key;
    const { name, interface: device, family } = this.#configuration;
    const text = (address: Uint8Array) => formatAddress(family, address);
    const index = this.#facts.links.find((link) => link.name === device)?.index ?? 0;
    this.#surroundings.deposit(
      name,
      list.map(({ message, source: from, destination }) => ({
        device,
        index,
        family,
        source: text(from),
        destination: text(destination),
        message: message.toString('base64'),
      })),
    );
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const { deadline } = this.#state;
    this.#timer = deadline && setTimeout(() => this.#fire(), Math.max(0, Math.ceil((deadline.at - now()) / 1000)));
  }

  /** The timer: what waits in the sockets comes first, then a stall of this process, then the deadline. */
  #fire(): void {
    const due = this.#state.deadline?.at ?? 0;
    const late = now() - due;
    this.lateness.observe(Math.max(0, late) / 1e6);
    this.#surroundings.drain();
    if (late > 0) this.#apply({ kind: 'stalled', by: late });
    this.#apply({ kind: 'tick' });
  }

  /** Every address that only the master has, in the order in which they are placed. */
  get #all(): PlacedAddress[] {
    return [...this.#list('local'), ...this.#list('virtual')];
  }

  #list(which: 'local' | 'virtual'): readonly PlacedAddress[] {
    const { addresses, extraAddresses, localAddresses } = this.#configuration;
    return which === 'local' ? localAddresses : [...addresses, ...extraAddresses];
  }

  #carryOut(action: Action): void {
    const { placement, announcer, report } = this.#surroundings;
    const { name, interface: device } = this.#configuration;
    switch (action.do) {
      case 'send':
        this.#send(action.priority);
        break;
      case 'place':
        void placement.place(this.#list(action.addresses), device);
        break;
      case 'withdraw':
        announcer.cancel(name);
        void placement.withdraw(this.#list(action.addresses), device);
        break;
      case 'restore':
        void placement
          .place(
            this.#all.filter(({ address }) => action.addresses.includes(address)),
            device,
          )
          .then(() => this.#announce());
        break;
      case 'announce':
        this.#announceAfterPlacement(action.why);
        break;
      case 'report':
        if (action.event === 'state') report(name, action);
        else this.#events.add(action.event, action.reason);
        break;
      case 'count':
        this.count(action.counter);
        break;
      case 'replace':
        // configure() has placed and removed what differs.
        this.#announceAfterPlacement('takeover');
        break;
      case 'sync':
        this.#surroundings.role(name, action.role === 'master');
        break;
    }
  }

  #announceAfterPlacement(why: Extract<Action, { do: 'announce' }>['why']): void {
    const { placement } = this.#surroundings;
    if (why === 'source') return;
    // Placement is in order: an empty list waits for what was asked for before.
    void placement.place([], this.#configuration.interface).then(() => this.#announce());
  }

  #announce(): void {
    const { announcer } = this.#surroundings;
    if (this.#state.phase !== 'master') return;
    const list = this.#all.flatMap((one): Announcement[] => {
      const link = this.#facts.links.find(({ name }) => name === (one.device ?? this.#configuration.interface));
      if (link === undefined || link.hardwareAddress.length !== 6) return [];
      const address = addressBytes(one.address);
      const family: Family = address.length === 4 ? AF_INET : AF_INET6;
      return [
        { family, address, index: link.index, hardwareAddress: link.hardwareAddress, router: forwards(link.name) },
      ];
    });
    announcer.announce(this.#configuration.name, list, this.#configuration.announce);
  }

  #send(priority: number): void {
    const { interface: device, family } = this.#configuration;
    for (const { message, source, destination } of this.#encode(priority)) {
      try {
        this.#surroundings.transmit(device, family, message, source, destination);
        this.count('sent');
      } catch {
        // The link is down: the fault follows from the notification of the link.
        this.count('send-failed');
      }
    }
  }

  /** An advert for each destination; none without a source address. */
  #encode(priority: number): { message: Buffer; source: Uint8Array; destination: Uint8Array }[] {
    const { source } = this.#state;
    const { family, settings, virtualRouterId, addresses, peers } = this.#configuration;
    if (source === undefined) return [];
    const content = {
      version: settings.version,
      family,
      virtualRouterId,
      priority,
      interval: settings.interval,
      addresses: addresses.map(({ address }) => addressBytes(address)),
      password: this.#password,
    };
    const destinations = peers?.map(({ address }) => addressBytes(address)) ?? [this.#group];
    return destinations.map((destination) => ({
      message: encodeAdvertisement(content, { source, destination }),
      source,
      destination,
    }));
  }
}

/** The addresses of `list` that `other` does not have. */
function without(list: readonly PlacedAddress[], other: readonly PlacedAddress[]): PlacedAddress[] {
  const key = ({ address, prefix, device = '' }: PlacedAddress) => `${address}/${prefix} ${device}`;
  const keys = new Set(other.map(key));
  return list.filter((one) => !keys.has(key(one)));
}

/** Whether the interface forwards IPv6 packets; a file in memory, so reading it does not block. */
function forwards(device: string): boolean {
  try {
    return readFileSync(`/proc/sys/net/ipv6/conf/${device}/forwarding`, 'latin1').trim() !== '0';
  } catch {
    return false;
  }
}

function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

/** fe80::/10. */
function isLinkLocal(address: Uint8Array): boolean {
  return address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0x80;
}
