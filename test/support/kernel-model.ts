// SPDX-License-Identifier: MIT
// A model of the kernel's table in memory, with the kernel's rules for rejecting requests.
// test/system/plan/plan.test.ts checks the same properties on a real kernel.
import { KernelLacksError, NetlinkError } from '../../src/base/errors.ts';
import {
  type BulkService,
  completeSynProxy,
  type Destination,
  type DestinationConfig,
  type DestinationKey,
  type Feature,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_SVC_F_HASHED,
  IP_VS_SVC_F_ONEPACKET,
  isDefended,
  type LocalAddress,
  type Service,
  type ServiceConfig,
  type ServiceKey,
  type SyncDaemon,
  serviceKeyText,
  type Timeouts,
} from '../../src/ipvs/index.ts';
import { addressKey, bytesKey, destinationKeyText } from '../../src/plan/keys.ts';
import type { KernelTable } from '../../src/plan/operation.ts';
import type { Actual, ActualAddress, ActualService, DesiredAddress } from '../../src/plan/types.ts';

const ENOENT = 2;
const ESRCH = 3;
const EEXIST = 17;
const EINVAL = 22;
const ERANGE = 34;
const EOPNOTSUPP = 95;

interface Entry {
  service: Service;
  destinations: Map<string, Destination>;
  localAddresses: Map<string, LocalAddress>;
}

/** A request that the model received. */
export interface Request {
  command: string;
  service: string | undefined;
  part: string | undefined;
}

export class KernelModel implements KernelTable {
  readonly #services = new Map<string, Entry>();
  #addresses: ActualAddress[];
  #timeouts: Timeouts;
  readonly #syncDaemons: SyncDaemon[];
  readonly requests: Request[] = [];
  /** Called before a request takes effect; throws to reject it. */
  refuse: (request: Request) => void = () => {};
  /** Called after each request that took effect. */
  watch: (request: Request) => void = () => {};

  constructor(actual: Actual) {
    for (const { service, destinations, localAddresses } of actual.services)
      this.#services.set(serviceKeyText(service), {
        service,
        destinations: new Map(destinations.map((one) => [destinationKeyText(one), one])),
        localAddresses: new Map(localAddresses.map((one) => [bytesKey(one.address), one])),
      });
    this.#addresses = [...actual.addresses];
    this.#timeouts = actual.timeouts;
    this.#syncDaemons = [...(actual.syncDaemons ?? [])];
  }

  read(): Actual {
    const services = [...this.#services.values()].map((entry): ActualService => {
      const { service, destinations, localAddresses } = entry;
      return { service, destinations: [...destinations.values()], localAddresses: [...localAddresses.values()] };
    });
    const syncDaemons = [...this.#syncDaemons];
    return { services, addresses: [...this.#addresses], timeouts: this.#timeouts, syncDaemons };
  }

  /** Ends every connection. */
  endConnections(): void {
    for (const { localAddresses } of this.#services.values())
      for (const [key, one] of localAddresses) localAddresses.set(key, { ...one, connections: 0 });
  }

  readonly addresses = {
    add: (wanted: DesiredAddress) =>
      this.#change('add-address', undefined, addressKey(wanted), (): 'added' | 'there' => {
        const ipv6 = wanted.address.length === 16;
        const same = (one: ActualAddress) =>
          addressKey(one) === addressKey(wanted) && (ipv6 || one.prefix === wanted.prefix);
        if (this.#addresses.some(same)) return 'there';
        const { device, family, address, prefix } = wanted;
        this.#addresses.push({ device, family, address, prefix, ours: true });
        return 'added';
      }),
    delete: (old: ActualAddress | DesiredAddress) =>
      this.#change('delete-address', undefined, addressKey(old), (): 'deleted' | 'gone' => {
        const found = this.#addresses.findIndex(
          (one) => addressKey(one) === addressKey(old) && one.prefix === old.prefix,
        );
        if (found < 0) return 'gone';
        if (!this.#addresses[found]?.ours) throw new Error("not lvsd's");
        this.#addresses.splice(found, 1);
        return 'deleted';
      }),
  };

  /** Features that it lacks; a model has all of them at first. */
  readonly lacking = new Set<Feature>();

  async requireFeature(feature: Feature): Promise<void> {
    if (this.lacking.has(feature)) throw new KernelLacksError(feature, `no ${feature}`);
  }

  addService(config: ServiceConfig, needs?: Feature): Promise<void> {
    if (needs !== undefined && this.lacking.has(needs)) return this.requireFeature(needs);
    const key = serviceKeyText(config);
    return this.#change('add-service', key, undefined, () => {
      if (this.#services.has(key)) throw new NetlinkError(EEXIST);
      const flags = config.flags | IP_VS_SVC_F_HASHED;
      const synProxy = activeSynProxy(config);
      if (synProxy && !(config.family === 2 && config.protocol === 6 && !config.fwmark))
        throw new NetlinkError(EOPNOTSUPP);
      if (config.defence && !canDefend(config)) throw new NetlinkError(EOPNOTSUPP);
      const defence = activeDefence(config);
      const service = { ...config, synProxy, defence, flags, numLocalAddresses: 0, stats: undefined };
      this.#services.set(key, { service, destinations: new Map(), localAddresses: new Map() });
    });
  }

  async addServices(additions: readonly BulkService[]): Promise<ReadonlySet<number>> {
    const refused = new Set<number>();
    for (const [place, { service, destinations }] of additions.entries()) {
      const requests = [
        () => this.addService(service),
        ...destinations.map((one) => () => this.addDestination(service, one)),
      ];
      for (const request of requests) await request().catch(() => refused.add(place));
    }
    return refused;
  }

  setService(config: ServiceConfig, mask = 0xffffffff): Promise<void> {
    return this.#change('set-service', serviceKeyText(config), undefined, () => {
      const entry = this.#entry(config);
      const flags = (entry.service.flags & ~mask) | (config.flags & mask) | IP_VS_SVC_F_HASHED;
      const refused = (flags & IP_VS_SVC_F_ONEPACKET) !== 0 || config.peName !== '';
      if (refused && [...entry.destinations.values()].some(({ method }) => method === IP_VS_CONN_F_FULLNAT))
        throw new NetlinkError(EINVAL);
      const ports =
        config.portMin === undefined
          ? { portMin: entry.service.portMin, portMax: entry.service.portMax }
          : { portMin: config.portMin || undefined, portMax: config.portMax || undefined };
      const synProxy = config.synProxy ? activeSynProxy(config) : entry.service.synProxy;
      if (synProxy && ![...entry.destinations.values()].every(({ method }) => hasSynProxy(method)))
        throw new NetlinkError(EOPNOTSUPP);
      if (config.defence && !canDefend(config)) throw new NetlinkError(EOPNOTSUPP);
      const defence = config.defence ? activeDefence(config) : entry.service.defence;
      entry.service = { ...entry.service, ...config, ...ports, synProxy, defence, flags };
    });
  }

  deleteService(key: ServiceKey): Promise<void> {
    return this.#change('delete-service', serviceKeyText(key), undefined, () => {
      this.#entry(key);
      this.#services.delete(serviceKeyText(key));
    });
  }

  async service(key: ServiceKey): Promise<Service> {
    return this.#entry(key).service;
  }

  addDestination(key: ServiceKey, dest: DestinationConfig): Promise<void> {
    const text = destinationKeyText(dest);
    return this.#change('add-destination', serviceKeyText(key), text, () => {
      const entry = this.#entry(key);
      this.#check(entry, dest);
      if (entry.destinations.has(text)) throw new NetlinkError(EEXIST);
      entry.destinations.set(text, {
        ...dest,
        ...{ activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, stats: undefined },
      });
    });
  }

  setDestination(key: ServiceKey, dest: DestinationConfig): Promise<void> {
    const text = destinationKeyText(dest);
    return this.#change('set-destination', serviceKeyText(key), text, () => {
      const entry = this.#entry(key);
      this.#check(entry, dest);
      const was = entry.destinations.get(text);
      if (!was) throw new NetlinkError(ENOENT);
      entry.destinations.set(text, { ...was, ...dest });
    });
  }

  deleteDestination(key: ServiceKey, dest: DestinationKey): Promise<void> {
    const text = destinationKeyText(dest);
    return this.#change('delete-destination', serviceKeyText(key), text, () => {
      if (!this.#entry(key).destinations.delete(text)) throw new NetlinkError(ENOENT);
    });
  }

  async destinations(key: ServiceKey): Promise<Destination[]> {
    return [...(this.#services.get(serviceKeyText(key))?.destinations.values() ?? [])];
  }

  addLocalAddress(key: ServiceKey, address: Uint8Array): Promise<void> {
    const text = bytesKey(address);
    return this.#change('add-local-address', serviceKeyText(key), text, () => {
      const { service, localAddresses } = this.#entry(key);
      if (service.fwmark || service.protocol !== 6 || service.family !== 2) throw new NetlinkError(EINVAL);
      const there = localAddresses.get(text);
      if (there && !there.draining) throw new NetlinkError(EEXIST);
      localAddresses.set(text, there ? { ...there, draining: false } : localAddress(address));
    });
  }

  deleteLocalAddress(key: ServiceKey, address: Uint8Array, { drain = false } = {}): Promise<void> {
    const text = bytesKey(address);
    return this.#change(drain ? 'drain-local-address' : 'delete-local-address', serviceKeyText(key), text, () => {
      const { localAddresses } = this.#entry(key);
      const there = localAddresses.get(text);
      if (!there) throw new NetlinkError(ENOENT);
      if (drain) localAddresses.set(text, { ...there, draining: true });
      else localAddresses.delete(text);
    });
  }

  async localAddresses(key: ServiceKey): Promise<LocalAddress[]> {
    return [...this.#entry(key).localAddresses.values()];
  }

  startDaemon(daemon: SyncDaemon): Promise<void> {
    return this.#change('start-sync', undefined, String(daemon.state), () => {
      if (this.#syncDaemons.some(({ state }) => state === daemon.state)) throw new NetlinkError(EEXIST);
      this.#syncDaemons.push(daemon);
    });
  }

  stopDaemon(daemon: SyncDaemon): Promise<void> {
    return this.#change('stop-sync', undefined, String(daemon.state), () => {
      const found = this.#syncDaemons.findIndex(({ state }) => state === daemon.state);
      if (found < 0) throw new NetlinkError(ESRCH);
      this.#syncDaemons.splice(found, 1);
    });
  }

  async daemons(): Promise<SyncDaemon[]> {
    return [...this.#syncDaemons];
  }

  setTimeouts({ tcp, tcpFin, udp }: Timeouts): Promise<void> {
    return this.#change('set-timeouts', undefined, undefined, () => {
      const was = this.#timeouts;
      this.#timeouts = { tcp: tcp || was.tcp, tcpFin: tcpFin || was.tcpFin, udp: udp || was.udp };
    });
  }

  #entry(key: ServiceKey): Entry {
    const entry = this.#services.get(serviceKeyText(key));
    if (!entry) throw new NetlinkError(ESRCH);
    return entry;
  }

  #check({ service }: Entry, dest: DestinationConfig): void {
    if (dest.lowerThreshold > dest.upperThreshold) throw new NetlinkError(ERANGE);
    if (dest.tunnelType === 1 && dest.tunnelPort === 0) throw new NetlinkError(EINVAL);
    if (dest.family !== service.family && dest.method !== IP_VS_CONN_F_TUNNEL) throw new NetlinkError(EINVAL);
    const plain = service.family === 2 && service.protocol === 6 && !service.fwmark && service.port !== 0;
    const bent = (service.flags & IP_VS_SVC_F_ONEPACKET) !== 0 || service.peName !== '';
    if (dest.method === IP_VS_CONN_F_FULLNAT && (!plain || bent)) throw new NetlinkError(EINVAL);
    if (!hasSynProxy(dest.method) && service.synProxy) throw new NetlinkError(EOPNOTSUPP);
  }

  /** Takes effect during the call, as a real request does while it is sent. */
  async #change<T>(command: string, service: string | undefined, part: string | undefined, act: () => T): Promise<T> {
    const request = { command, service, part };
    this.requests.push(request);
    this.refuse(request);
    const result = act();
    this.watch(request);
    return result;
  }
}

/** Whether real servers of this forwarding method can be behind a SYN proxy. */
const hasSynProxy = (method: number) => method === IP_VS_CONN_F_FULLNAT || method === IP_VS_CONN_F_MASQ;
/** As the kernel reports it: undefined while it is off. */
const activeSynProxy = ({ synProxy }: ServiceConfig) => (synProxy?.enabled ? completeSynProxy(synProxy) : undefined);

/** As the kernel reports it: undefined if there is none. */
const activeDefence = ({ defence }: ServiceConfig) => (isDefended(defence) ? defence : undefined);
const canDefend = ({ family, protocol, fwmark, defence }: ServiceConfig) =>
  (protocol === 6 || fwmark !== 0) && !(defence?.dropFragments && (family !== 2 || fwmark !== 0));

export function localAddress(address: Uint8Array, connections = 0, draining = false): LocalAddress {
  const none = { conflicts: 0n, portsInUse: connections, portsTotal: 64511, exhausted: 0n };
  return { family: 2, address, connections, draining, ...none };
}
