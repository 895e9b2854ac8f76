// SPDX-License-Identifier: MIT
/** All instances of this machine: their sockets, the facts that they depend on, and reloads. */
import { uptime } from 'node:os';
import { type Family, formatAddress } from '../base/addresses.ts';
import { Addresses, type Link, type Watch } from '../net/index.ts';
import { acceptMessage, type Expectations, type Received } from './acceptance.ts';
import { AdvertSocket, type Arrival } from './advert-socket.ts';
import { Announcer } from './announcer.ts';
import { type InstanceConfiguration, identity } from './configuration.ts';
import type { Passable } from './filter.ts';
import { groupEvents } from './group.ts';
import { Instance, NO_FACTS, now, type Report } from './instance.ts';
import type { FromVrrp, InstanceStatus, LastMessage } from './messages.ts';
import { Placement, PROTOCOL } from './placement.ts';

/** Messages of one socket in one turn: more than fit into its buffer, so that all that wait are read before a timer. */
const BATCH = 1024;
/**
 * After a turn with so many messages, the socket rests for so many milliseconds. The process sleeps meanwhile: without
 * a pause, a flood would count as an endless loop (RLIMIT_RTTIME) and end it.
 */
const FLOOD = 128;
const FLOOD_PAUSE = 2;

/** Seconds after its start in which a machine's links come up. */
const BOOT_TIME = 60;

/** The demands on a message, and the instance that has them. */
type Found = Expectations & { instance: Instance };

export class Router {
  readonly #send: (message: FromVrrp) => void;
  readonly #addresses = new Addresses({ protocol: PROTOCOL });
  readonly #placement: Placement;
  readonly #announcer: Announcer;
  /** By interface and family. */
  readonly #sockets = new Map<string, { socket: AdvertSocket; index: number; family: Family; device: string }>();
  /** By identity. */
  #instances = new Map<string, Instance>();
  #facts = NO_FACTS;
  #watch: Watch | undefined;
  /** One reading of the facts at a time. */
  #reading: Promise<void> | undefined;
  #readAgain = false;
  /** Groups whose members are being brought to one role. */
  readonly #settling = new Set<string>();
  /** A configuration is being applied: groups settle after that. */
  #configuring = false;

  /** `send` reports to the daemon. Needs CAP_NET_RAW and CAP_NET_ADMIN. */
  constructor(send: (message: FromVrrp) => void) {
    this.#send = send;
    const log = (text: string) => send({ type: 'log', level: 'error', text });
    this.#placement = new Placement(this.#addresses, log);
    this.#announcer = new Announcer((error) => log(`announcement: ${error.message}`));
  }

  /** Removes what an earlier process left, and begins to watch links and addresses. */
  async start(): Promise<void> {
    await this.#placement.withdrawAll();
    this.#watch = this.#addresses.subscribe(
      () => void this.#observe(),
      (error) => this.#log(`notifications of links and addresses ended: ${error.message}`),
    );
    await this.#observe();
    this.#send({ type: 'started' });
  }

  /** Applies a configuration: instances of the same identity go on, others are stopped and started. */
  async configure(list: readonly InstanceConfiguration[]): Promise<void> {
    this.#configuring = true;
    const before = this.#instances;
    const after = new Map<string, Instance>();
    const fresh: Instance[] = [];
    const renamed: Instance[] = [];
    for (const configuration of list) {
      const key = identity(configuration);
      const kept = before.get(key);
      before.delete(key);
      const instance = kept ?? new Instance(configuration, this.#surroundings());
      if (kept === undefined) fresh.push(instance);
      else if (JSON.stringify(kept.configuration) !== JSON.stringify(configuration)) {
        if (kept.configuration.name !== configuration.name) renamed.push(kept);
        kept.configure(configuration);
      }
      after.set(key, instance);
    }
    const stopped = [...before.values()].map((instance) => instance.stop());
    this.#instances = after;
    for (const instance of renamed) instance.introduce();
    this.#openSockets();
    for (const instance of fresh) {
      instance.observe(this.#facts);
      instance.start();
    }
    this.#configuring = false;
    for (const group of new Set(list.flatMap((one) => one.group ?? []))) this.#settle(group);
    await Promise.all(stopped);
  }

  /** Takes the state of services that instances track. */
  services(up: Readonly<Record<string, boolean>>, checked: boolean): void {
    this.#facts = { ...this.#facts, services: new Map(Object.entries(up)), checked };
    for (const instance of this.#instances.values()) instance.track(this.#facts);
  }

  /** A master announces its addresses again. */
  announce(name: string): void {
    for (const instance of this.#instances.values()) if (instance.configuration.name === name) instance.announce();
  }

  /** `hold`: milliseconds without preemption. */
  yield(name: string, hold: number): void {
    const list = [...this.#instances.values()];
    const group = list.find(({ configuration }) => configuration.name === name)?.configuration.group;
    for (const instance of list) {
      const { configuration } = instance;
      if (configuration.name === name || (group !== undefined && configuration.group === group))
        instance.yield(1000 * hold);
    }
  }

  status(): InstanceStatus[] {
    return [...this.#instances.values()].map(
      ({ configuration, state, counters, faults, tracked, lastAdvert, lastRejected, lateness }) => ({
        name: configuration.name,
        phase: state.phase,
        priority: state.priority,
        faults,
        tracked,
        counters: { ...Object.fromEntries(counters), ...this.#dropped(configuration) },
        lastAdvert,
        lastRejected,
        lateness: lateness.histogram,
      }),
    );
  }

  #dropped({ interface: device, family }: InstanceConfiguration): { dropped?: number } {
    const dropped = this.#sockets.get(socketKey(device, family))?.socket.dropped ?? 0;
    return dropped === 0 ? {} : { dropped };
  }

  /** Every instance leaves its role; resolves when the addresses have been removed. */
  async stop(): Promise<void> {
    this.#watch?.close();
    await Promise.all([...this.#instances.values()].map((instance) => instance.stop()));
    this.#instances.clear();
    for (const { socket } of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    this.#announcer.close();
    this.#addresses.close();
  }

  #surroundings() {
    return {
      placement: this.#placement,
      announcer: this.#announcer,
      drain: () => this.#drain(),
      settle: (group: string) => this.#settle(group),
      log: (text: string) => this.#log(text),
      role: (instance: string, master: boolean) => this.#send({ type: 'role', instance, master }),
      deposit: (instance: string, messages: LastMessage[]) => this.#send({ type: 'last-messages', instance, messages }),
      transmit: (device: string, family: Family, message: Uint8Array, source: Uint8Array, destination: Uint8Array) => {
        const open = this.#sockets.get(socketKey(device, family));
        if (open === undefined) throw new Error(`no socket on ${device}`);
        open.socket.send(message, source, destination);
      },
      report: (instance: string, report: Report) => {
        if (report.event !== 'state')
          this.#send({ type: 'event', instance, event: report.event, reason: report.reason });
        else this.#send({ type: 'state', instance, from: report.from, to: report.to, reason: report.reason });
      },
    };
  }

  /** Delivers events to the members of a group until all have one role. */
  #settle(group: string): void {
    if (this.#configuring || this.#settling.has(group)) return;
    this.#settling.add(group);
    try {
      for (;;) {
        const members = [...this.#instances.values()].filter(({ configuration }) => configuration.group === group);
        const events = groupEvents(members.map(({ configuration: { name }, state }) => ({ name, state })));
        if (events.length === 0) break;
        for (const { member, event } of events) members[member]?.handle(event);
      }
    } finally {
      this.#settling.delete(group);
    }
  }

  #log(text: string): void {
    this.#send({ type: 'log', level: 'warn', text });
  }

  /** Reads links and addresses, and tells the instances. Changes during a reading cause another one. */
  #observe(): Promise<void> {
    this.#readAgain = true;
    this.#reading ??= this.#readFacts().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readFacts(): Promise<void> {
    while (this.#readAgain) {
      this.#readAgain = false;
      try {
        // An address that is being placed must not look like one that another program removed.
        await this.#placement.settled();
        const { changes } = this.#placement;
        const [addresses, links] = await Promise.all([this.#addresses.list(), this.#addresses.links()]);
        if (this.#placement.changes !== changes) {
          this.#readAgain = true;
          continue;
        }
        this.#facts = { ...this.#facts, addresses, links, carrierSince: this.#carriers(links) };
      } catch (error) {
        this.#log(`cannot read links and addresses: ${(error as Error).message}`);
        return;
      }
      this.#openSockets();
      for (const instance of this.#instances.values()) instance.observe(this.#facts);
    }
  }

  /** Since when each link has carrier. A first reading cannot tell: then since a minute after the machine's start. */
  #carriers(links: readonly Link[]): Map<string, number> {
    const before = this.#facts.carrierSince;
    const first = this.#facts.links.length === 0;
    const at = first ? now() - 1_000_000 * Math.max(0, uptime() - BOOT_TIME) : now();
    return new Map(links.flatMap(({ name, carrier }) => (carrier ? [[name, before.get(name) ?? at]] : [])));
  }

  /** One socket for each interface and family in use; a new one if the interface was made anew. */
  #openSockets(): void {
    const wanted = new Map<string, { device: string; family: Family; routers: Passable[] }>();
    for (const { configuration } of this.#instances.values()) {
      const { interface: device, family } = configuration;
      const key = socketKey(device, family);
      const { routers } = wanted.get(key) ?? { routers: [] };
      wanted.set(key, { device, family, routers: [...routers, passable(configuration)] });
    }
    const routers = (key: string) => wanted.get(key)?.routers ?? [];
    for (const [key, open] of this.#sockets) {
      const link = this.#facts.links.find(({ name }) => name === open.device);
      if (wanted.has(key) && link?.index === open.index) {
        open.socket.filter(routers(key));
        continue;
      }
      open.socket.close();
      this.#sockets.delete(key);
    }
    for (const [key, { device, family }] of wanted) {
      const link = this.#facts.links.find(({ name }) => name === device);
      if (link === undefined || this.#sockets.has(key)) continue;
      try {
        const socket = new AdvertSocket(family, link, () => this.#drainOne(key));
        socket.filter(routers(key));
        this.#sockets.set(key, { socket, index: link.index, family, device });
      } catch (error) {
        this.#log(`cannot open a VRRP socket on ${device}: ${(error as Error).message}`);
      }
    }
  }

  #drain(): void {
    for (const key of this.#sockets.keys()) this.#drainOne(key);
  }

  #drainOne(key: string): void {
    const open = this.#sockets.get(key);
    if (open === undefined) return;
    let arrivals: Arrival[];
    try {
      arrivals = open.socket.receive(BATCH);
    } catch {
      // ENETDOWN: the link went down, which its notification says too.
      return;
    }
    if (arrivals.length >= FLOOD) open.socket.pause(FLOOD_PAUSE);
    for (const arrival of arrivals) this.#receive(open.device, open.family, arrival);
  }

  #receive(device: string, family: Family, arrival: Received & { age: number }): void {
    const find = (virtualRouterId: number): Found | undefined => {
      for (const instance of this.#instances.values()) {
        const { configuration } = instance;
        const here = configuration.interface === device && configuration.family === family;
        if (!here || configuration.virtualRouterId !== virtualRouterId) continue;
        const { expectations } = instance;
        return expectations && { ...expectations, instance };
      }
      return undefined;
    };
    const result = acceptMessage(arrival, find);
    if (result.accepted) {
      result.instance.instance.count('received');
      result.instance.instance.lastAdvert = Date.now();
      result.instance.instance.receive(result.advert, arrival.age);
    } else if (result.instance !== undefined) {
      const { reason, text } = result;
      result.instance.instance.count(`rejected: ${reason}`);
      const source = formatAddress(family, arrival.source);
      result.instance.instance.lastRejected = { reason, text, source, at: Date.now() };
    }
  }
}

function socketKey(device: string, family: Family): string {
  return `${device} ${family}`;
}

/** What acceptance demands and the kernel can decide; the rest is decided, and counted, by acceptance. */
function passable({ virtualRouterId, peers, fromAnywhere }: InstanceConfiguration): Passable {
  if (peers === undefined) return { virtualRouterId, multicast: true, minTtl: 255 };
  const least = fromAnywhere ? 0 : Math.min(255, ...peers.map(({ minTtl = 0 }) => minTtl));
  return { virtualRouterId, multicast: false, minTtl: least };
}
