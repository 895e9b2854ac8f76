// SPDX-License-Identifier: MIT
/** Reads and changes the kernel's IPVS table over generic netlink. Even reading requires CAP_NET_ADMIN. */
import { KernelLacksError, LvsdError, NetlinkError, UsageError } from '../base/errors.ts';
import { decodeTable, encodeTable } from '../netlink/attributes.ts';
import type { NetlinkClientOptions } from '../netlink/client.ts';
import { type GenericMessage, GenericNetlink } from '../netlink/generic.ts';
import type { BulkService } from './bulk-add.ts';
import type { BulkWriter } from './bulk-writer.ts';
import {
  daemonAttributes,
  destinationAttributes,
  readDaemon,
  readDestination,
  readInfo,
  readLocalAddress,
  readService,
  serviceAttributes,
  serviceKeyAttributes,
} from './codec.ts';
import {
  IP_VS_CONN_F_FULLNAT,
  IP_VS_LADDR_F_DRAIN,
  IP_VS_SVC_F_SYNPROXY,
  IPVS_CMD_DEL_DAEMON,
  IPVS_CMD_DEL_DEST,
  IPVS_CMD_DEL_LADDR,
  IPVS_CMD_DEL_SERVICE,
  IPVS_CMD_FLUSH,
  IPVS_CMD_GET_CONFIG,
  IPVS_CMD_GET_DAEMON,
  IPVS_CMD_GET_DEST,
  IPVS_CMD_GET_INFO,
  IPVS_CMD_GET_LADDR,
  IPVS_CMD_GET_SERVICE,
  IPVS_CMD_NEW_DAEMON,
  IPVS_CMD_NEW_DEST,
  IPVS_CMD_NEW_LADDR,
  IPVS_CMD_NEW_SERVICE,
  IPVS_CMD_SET_CONFIG,
  IPVS_CMD_SET_DEST,
  IPVS_CMD_SET_SECRET,
  IPVS_CMD_SET_SERVICE,
  IPVS_CMD_ZERO,
  IPVS_GENL_NAME,
  IPVS_SECRET_F_STAGE,
  IPVS_SECRET_LENGTH,
} from './constants.ts';
import { serviceKeyText } from './keys.ts';
import { ServiceDecoder } from './service-decoder.ts';
import type { StatisticsTable } from './statistics.ts';
import { COMMAND, type CommandAttributes, commandWithStats, INFO, type ReplyAttributes } from './tables.ts';
import type {
  Destination,
  DestinationConfig,
  DestinationKey,
  Feature,
  IpvsInfo,
  LocalAddress,
  Service,
  ServiceConfig,
  ServiceKey,
  SyncDaemon,
  Timeouts,
} from './types.ts';

export interface ReadOptions {
  /** Fill in `stats`: ten 64-bit numbers per entry. */
  stats?: boolean;
  /** Return the first reading of a long table, for callers that verify it themselves. */
  once?: boolean;
}

/** Readings of a table that keeps changing before the last one is returned. */
const READ_ATTEMPTS = 4;

export class Ipvs {
  readonly #netlink: GenericNetlink;
  #features: ReadonlySet<Feature> | undefined;
  #queryError: unknown;
  /** Pending query of the features; never rejects. */
  #pendingQuery: Promise<void> | undefined;

  #changes = 0;

  constructor(options: NetlinkClientOptions = {}) {
    this.#netlink = new GenericNetlink({ ...options, unknownFamily: NO_IPVS });
  }

  /** Successful changes by this client. A patched kernel's `generation` counts these and those of other programs. */
  get changes(): number {
    return this.#changes;
  }

  /** Version, table size and features beyond the stock kernel. */
  async info(): Promise<IpvsInfo> {
    const [info] = await this.#netlink.request(IPVS_GENL_NAME, IPVS_CMD_GET_INFO, undefined, ({ attributes }) =>
      readInfo(decodeTable(INFO, attributes)),
    );
    if (!info) throw new LvsdError('ERR_LVSD_NO_ANSWER', 'IPVS_CMD_GET_INFO: the kernel sent no answer');
    return info;
  }

  /** Queried once, and again after a failure. */
  async features(): Promise<ReadonlySet<Feature>> {
    if (!this.#features) await this.#queryFeatures();
    if (!this.#features) throw this.#queryError;
    return this.#features;
  }

  /** Throws KernelLacksError unless the running kernel has the feature. */
  async requireFeature(feature: Feature): Promise<void> {
    if (!(await this.features()).has(feature)) throw featureMissing(feature);
  }

  /**
   * Every service, in the kernel's order. A stock kernel resumes a long dump by counting entries and does not report
   * changes during it, so a table of more than one message is read until two readings have the same services.
   */
  async services(options: ReadOptions = {}): Promise<Service[]> {
    let services = await this.#readServices(options);
    if (options.once) return services;
    for (let attempt = 1; services.length > SERVICES_IN_ONE_MESSAGE && attempt < READ_ATTEMPTS; attempt++) {
      const again = await this.#readServices(options);
      if (sameKeys(services, again)) return again;
      services = again;
    }
    return services;
  }

  async service(key: ServiceKey, options: ReadOptions = {}): Promise<Service> {
    const table = options.stats ? commandWithStats() : COMMAND;
    const [service] = await this.#netlink.request(
      IPVS_GENL_NAME,
      IPVS_CMD_GET_SERVICE,
      // Like ipvsadm, which sends all of the service here too, but no mask.
      write({ service: { ...serviceAttributes(key), netmask: 0 } }),
      ({ attributes }) => readService(decodeTable(table, attributes) as ReplyAttributes),
    );
    if (!service) throw new LvsdError('ERR_LVSD_NO_ANSWER', 'IPVS_CMD_GET_SERVICE: the kernel sent no answer');
    return service;
  }

  /** Empty for a service that does not exist; the kernel reports no error. */
  destinations(key: ServiceKey, options: ReadOptions = {}): Promise<Destination[]> {
    const table = options.stats ? commandWithStats() : COMMAND;
    return this.#netlink.dump(
      IPVS_GENL_NAME,
      IPVS_CMD_GET_DEST,
      write({ service: serviceKeyAttributes(key) }),
      ({ attributes }) => readDestination(decodeTable(table, attributes) as ReplyAttributes, key.family),
    );
  }

  /** Adds the counters of all services to the table. */
  async serviceStatistics(into: StatisticsTable): Promise<void> {
    await this.#netlink.dump(IPVS_GENL_NAME, IPVS_CMD_GET_SERVICE, nothing, ({ attributes }) =>
      into.readService(attributes),
    );
  }

  /** Adds the counters of a service's destinations to the table. */
  async destinationStatistics(key: ServiceKey, into: StatisticsTable): Promise<void> {
    const service = serviceKeyText(key);
    await this.#netlink.dump(
      IPVS_GENL_NAME,
      IPVS_CMD_GET_DEST,
      write({ service: serviceKeyAttributes(key) }),
      ({ attributes }) => into.readDestination(attributes, service, key.family),
    );
  }

  async localAddresses(key: ServiceKey): Promise<LocalAddress[]> {
    await this.requireFeature('FULLNAT');
    return this.#netlink.dump(
      IPVS_GENL_NAME,
      IPVS_CMD_GET_LADDR,
      write({ service: serviceKeyAttributes(key) }),
      ({ attributes }) => readLocalAddress(decodeTable(COMMAND, attributes) as ReplyAttributes, key.family),
    );
  }

  /** `needs`: a feature that its real servers will require; if the kernel lacks it, the service is not added. */
  addService(service: ServiceConfig, needs?: Feature): Promise<void> {
    const feature = serviceFeature(service) ?? needs;
    return this.#command(IPVS_CMD_NEW_SERVICE, { service: serviceAttributes(service) }, feature);
  }

  /** `mask` selects the flags to change; the default is all, as with ipvsadm. */
  setService(service: ServiceConfig, mask?: number): Promise<void> {
    return this.#command(IPVS_CMD_SET_SERVICE, { service: serviceAttributes(service, mask) }, serviceFeature(service));
  }

  deleteService(key: ServiceKey): Promise<void> {
    return this.#command(IPVS_CMD_DEL_SERVICE, { service: serviceAttributes(key) });
  }

  addDestination(key: ServiceKey, dest: DestinationConfig): Promise<void> {
    return this.#destination(IPVS_CMD_NEW_DEST, key, dest);
  }

  setDestination(key: ServiceKey, dest: DestinationConfig): Promise<void> {
    return this.#destination(IPVS_CMD_SET_DEST, key, dest);
  }

  deleteDestination(key: ServiceKey, dest: DestinationKey): Promise<void> {
    return this.#command(IPVS_CMD_DEL_DEST, { service: serviceAttributes(key), dest: destinationAttributes(dest) });
  }

  addLocalAddress(key: ServiceKey, address: Uint8Array): Promise<void> {
    const attributes = { service: serviceAttributes(key), localAddress: { address } };
    return this.#command(IPVS_CMD_NEW_LADDR, attributes, 'FULLNAT');
  }

  /** With `drain` it stays for its existing connections and accepts no new ones, until it is added again. */
  deleteLocalAddress(key: ServiceKey, address: Uint8Array, options: { drain?: boolean } = {}): Promise<void> {
    const flags = options.drain ? { flags: IP_VS_LADDR_F_DRAIN } : {};
    const attributes = { service: serviceAttributes(key), localAddress: { address, ...flags } };
    return this.#command(IPVS_CMD_DEL_LADDR, attributes, options.drain ? 'LADDR_DRAIN' : 'FULLNAT');
  }

  async timeouts(): Promise<Timeouts> {
    const [timeouts] = await this.#netlink.request(IPVS_GENL_NAME, IPVS_CMD_GET_CONFIG, undefined, (message) => {
      const { tcpTimeout = 0, tcpFinTimeout = 0, udpTimeout = 0 } = decodeReply(message);
      return { tcp: tcpTimeout, tcpFin: tcpFinTimeout, udp: udpTimeout };
    });
    if (!timeouts) throw new LvsdError('ERR_LVSD_NO_ANSWER', 'IPVS_CMD_GET_CONFIG: the kernel sent no answer');
    return timeouts;
  }

  /** 0 leaves a timeout unchanged. */
  setTimeouts({ tcp, tcpFin, udp }: Timeouts): Promise<void> {
    return this.#command(IPVS_CMD_SET_CONFIG, { tcpTimeout: tcp, tcpFinTimeout: tcpFin, udpTimeout: udp });
  }

  daemons(): Promise<SyncDaemon[]> {
    return this.#netlink.dump(
      IPVS_GENL_NAME,
      IPVS_CMD_GET_DAEMON,
      () => {},
      (message) => readDaemon(decodeReply(message)),
    );
  }

  startDaemon(daemon: SyncDaemon): Promise<void> {
    return this.#command(IPVS_CMD_NEW_DAEMON, { daemon: daemonAttributes(daemon) });
  }

  /** The kernel reads only the state; the rest is sent because ipvsadm does. */
  stopDaemon(daemon: SyncDaemon): Promise<void> {
    return this.#command(IPVS_CMD_DEL_DAEMON, { daemon: daemonAttributes(daemon) });
  }

  /** Resets the counters of one service, or of all. */
  zero(key?: ServiceKey): Promise<void> {
    return this.#command(IPVS_CMD_ZERO, key ? { service: serviceAttributes(key) } : {});
  }

  /** Deletes every service. */
  flush(): Promise<void> {
    return this.#command(IPVS_CMD_FLUSH, {});
  }

  /**
   * The key from which FULLNAT derives sequence numbers and timestamps: 16 bytes, cannot be read back. With the same key,
   * they continue to increase after a reload, a reboot, or on another balancer.
   */
  async setSecret(secret: Uint8Array): Promise<void> {
    checkSecret(secret);
    await this.#command(IPVS_CMD_SET_SECRET, { secret }, 'SECRET');
  }

  /**
   * The key of SYN cookies. `stage` only accepts its cookies: balancers that share a secret stage the next one on all of
   * them before the first uses it.
   */
  async setCookieSecret(cookieSecret: Uint8Array, { stage = false } = {}): Promise<void> {
    checkSecret(cookieSecret);
    const secretFlags = stage ? IPVS_SECRET_F_STAGE : 0;
    await this.#command(IPVS_CMD_SET_SECRET, { cookieSecret, secretFlags }, 'SYNPROXY');
  }

  /** Adds services by the thousand (bulk-add.ts). Resolves with the indices of those that failed; never rejects. */
  async addServices(services: readonly BulkService[]): Promise<ReadonlySet<number>> {
    const { addServices } = await import('./bulk-add.ts');
    return addServices(this, services);
  }

  /** A new, empty writer, for `sendBulk`. */
  async bulkWriter(): Promise<BulkWriter> {
    const { BulkWriter } = await import('./bulk-writer.ts');
    return new BulkWriter(await this.#netlink.family(IPVS_GENL_NAME));
  }

  /** Sends the requests of a writer, in order, and clears it. Resolves with the errors, by the index of the request. */
  async sendBulk(writer: BulkWriter): Promise<ReadonlyMap<number, NetlinkError>> {
    const { count } = writer;
    const errors = await this.#netlink.sendAll(writer.finish());
    writer.clear();
    this.#changes += count - errors.size;
    return errors;
  }

  close(): void {
    this.#netlink.close();
  }

  #queryFeatures(): Promise<void> {
    this.#pendingQuery ??= this.info()
      .then(({ features }) => {
        this.#features = features;
      })
      .catch((error: unknown) => {
        this.#queryError = error;
      })
      .finally(() => {
        this.#pendingQuery = undefined;
      });
    return this.#pendingQuery;
  }

  #readServices({ stats }: ReadOptions): Promise<Service[]> {
    const table = stats ? commandWithStats() : COMMAND;
    const decoder = stats ? undefined : new ServiceDecoder();
    return this.#netlink.dump(
      IPVS_GENL_NAME,
      IPVS_CMD_GET_SERVICE,
      nothing,
      ({ attributes }) => decoder?.decode(attributes) ?? readService(decodeTable(table, attributes) as ReplyAttributes),
    );
  }

  #destination(command: number, key: ServiceKey, dest: DestinationConfig): Promise<void> {
    const attributes = { service: serviceAttributes(key), dest: destinationAttributes(dest) };
    return this.#command(command, attributes, dest.method === IP_VS_CONN_F_FULLNAT ? 'FULLNAT' : undefined);
  }

  /**
   * Commands reach the kernel in the order of the calls: while the features are being queried, commands that need none
   * wait too.
   */
  #command(command: number, attributes: CommandAttributes, feature?: Feature): Promise<void> {
    if (feature || this.#pendingQuery) return this.#commandAfterQuery(command, attributes, feature);
    return this.#count(this.#netlink.command(IPVS_GENL_NAME, command, write(attributes)));
  }

  async #count(change: Promise<void>): Promise<void> {
    await change;
    this.#changes++;
  }

  async #commandAfterQuery(command: number, attributes: CommandAttributes, feature?: Feature): Promise<void> {
    if (feature && !this.#features) await this.#queryFeatures();
    else if (this.#pendingQuery) await this.#pendingQuery;
    if (feature && !this.#features) throw this.#queryError;
    if (feature && !this.#features?.has(feature)) throw featureMissing(feature);
    try {
      await this.#count(this.#netlink.command(IPVS_GENL_NAME, command, write(attributes)));
    } catch (error) {
      if (feature && error instanceof NetlinkError && error.errnoName === 'EOPNOTSUPP' && !error.extendedAck.message)
        throw featureMissing(feature);
      throw error;
    }
  }
}

/** A message of the dump holds at least 8 KB, a service with its statistics about 350 bytes. */
const SERVICES_IN_ONE_MESSAGE = 16;

function sameKeys(a: readonly ServiceKey[], b: readonly ServiceKey[]): boolean {
  return a.length === b.length && a.every((key, i) => serviceKeyText(key) === serviceKeyText(b[i] as ServiceKey));
}

function nothing(): void {}

function write(attributes: CommandAttributes) {
  return (writer: Parameters<typeof encodeTable>[1]) => encodeTable(COMMAND, writer, attributes);
}

function decodeReply({ attributes }: GenericMessage): ReplyAttributes {
  return decodeTable(commandWithStats(), attributes);
}

function checkSecret(secret: Uint8Array): void {
  if (secret.length !== IPVS_SECRET_LENGTH)
    throw new UsageError(`the secret must have ${IPVS_SECRET_LENGTH} bytes, not ${secret.length}`);
}

function serviceFeature(service: ServiceConfig): Feature | undefined {
  // Modules that have it have SYN proxy too.
  if (service.defence) return 'DEFENCE';
  if (service.synProxy || service.flags & IP_VS_SVC_F_SYNPROXY) return 'SYNPROXY';
  return service.portMin === undefined && service.portMax === undefined ? undefined : 'FULLNAT';
}

const NO_IPVS =
  'IPVS is not available in this kernel: load it with "modprobe ip_vs"; if there is no such module, see docs/kernel.md';

const FEATURE_TEXTS: Readonly<Record<Feature, string>> = {
  FULLNAT: 'FULLNAT',
  TOA: 'TOA',
  LADDR_DRAIN: 'draining of local addresses',
  SYNPROXY: 'SYN proxy',
  SECRET: 'secret for sequence numbers',
  SYNPROXY_NAT: 'SYN proxy with NAT',
  DEFENCE: 'defence of services',
};

function featureMissing(feature: Feature): KernelLacksError {
  const { what, remedy } = lacksFeature(feature);
  return new KernelLacksError(feature, `${what}: ${remedy}`);
}

/** Texts for a missing feature: the problem and its remedy. */
export function lacksFeature(feature: Feature): { what: string; remedy: string } {
  return {
    what: `the running ip_vs does not support ${FEATURE_TEXTS[feature]}`,
    remedy: "load lvsd's ip_vs modules, see docs/kernel.md",
  };
}
