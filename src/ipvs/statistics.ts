// SPDX-License-Identifier: MIT
/**
 * Counters of services and destinations, read in place: numbers go from the receive buffer into one array of doubles,
 * without an object or a bigint for each. Counts above 2^53 lose their last bits.
 */
import { AF_INET, AF_INET6, type Family } from '../base/addresses.ts';
import { host } from '../netlink/endian.ts';
import type { AttributeReader } from '../netlink/reader.ts';
import { bytesText, serviceKeyText } from './keys.ts';
import { COMMAND, DEST, SERVICE, SERVICE_STATS64 } from './tables.ts';

/** Numbers of a row: IPVS_STATS_ATTR_CONNS to _OUTBYTES, then those of destinations. */
export const STATISTICS = [
  'connections',
  'inPackets',
  'outPackets',
  'inBytes',
  'outBytes',
  'weight',
  'active',
  'inactive',
  'persistent',
] as const;

export type Statistic = (typeof STATISTICS)[number];

const WIDTH = STATISTICS.length;
const COUNTERS = STATISTICS.indexOf('weight');
const WORD = 4_294_967_296;
const WEIGHT = STATISTICS.indexOf('weight');
const ACTIVE = STATISTICS.indexOf('active');
const INACTIVE = STATISTICS.indexOf('inactive');
const PERSISTENT = STATISTICS.indexOf('persistent');
const FIRST_SIZE = 64;

export class StatisticsTable {
  #values = new Float64Array(WIDTH * FIRST_SIZE);
  readonly #rows = new Map<string, number>();
  readonly #scratch = new Float64Array(WIDTH);

  get size(): number {
    return this.#rows.size;
  }

  /** `serviceKeyText`, or `destinationKey`. Undefined: the kernel did not have it. */
  get(key: string, statistic: Statistic): number | undefined {
    return this.row(key)?.[STATISTICS.indexOf(statistic)];
  }

  /** The numbers of one key, in the order of `STATISTICS`. */
  row(key: string): Float64Array | undefined {
    const row = this.#rows.get(key);
    return row === undefined ? undefined : this.#values.subarray(row * WIDTH, (row + 1) * WIDTH);
  }

  /** Adds the service of a message. Throws MalformedError. */
  readService(message: AttributeReader): void {
    while (message.next()) {
      if (message.type !== COMMAND.service[0]) continue;
      const reader = message.nested();
      const { buffer } = reader;
      this.#scratch.fill(0);
      let family: Family = AF_INET;
      let address = -1;
      const key = { protocol: 0, port: 0, fwmark: 0 };
      while (reader.next()) {
        if (reader.type === SERVICE.family[0]) family = reader.u16() === AF_INET6 ? AF_INET6 : AF_INET;
        else if (reader.type === SERVICE.protocol[0]) key.protocol = reader.u16();
        else if (reader.type === SERVICE.address[0]) address = reader.start;
        else if (reader.type === SERVICE.port[0]) key.port = reader.be16();
        else if (reader.type === SERVICE.fwmark[0]) key.fwmark = reader.u32();
        else if (reader.type === SERVICE_STATS64) this.#readCounters(reader.nested());
      }
      const bytes = address < 0 ? buffer.subarray(0, 0) : buffer.subarray(address, address + lengthOf(family));
      this.#store(serviceKeyText({ family, address: bytes, ...key }));
    }
  }

  /** Adds the destination of a message. Throws MalformedError. */
  readDestination(message: AttributeReader, service: string, familyOfService: Family): void {
    while (message.next()) {
      if (message.type !== COMMAND.dest[0]) continue;
      const reader = message.nested();
      this.#scratch.fill(0);
      let family = familyOfService;
      let address = 0;
      let port = 0;
      while (reader.next()) {
        if (reader.type === DEST.family[0]) family = reader.u16() === AF_INET6 ? AF_INET6 : AF_INET;
        else if (reader.type === DEST.address[0]) address = reader.start;
        else if (reader.type === DEST.port[0]) port = reader.be16();
        else if (reader.type === DEST.weight[0]) this.#scratch[WEIGHT] = reader.u32();
        else if (reader.type === DEST.activeConnections[0]) this.#scratch[ACTIVE] = reader.u32();
        else if (reader.type === DEST.inactiveConnections[0]) this.#scratch[INACTIVE] = reader.u32();
        else if (reader.type === DEST.persistentConnections[0]) this.#scratch[PERSISTENT] = reader.u32();
        else if (reader.type === SERVICE_STATS64) this.#readCounters(reader.nested());
      }
      const bytes = reader.buffer.subarray(address, address + lengthOf(family));
      this.#store(destinationKey(service, bytes, port));
    }
  }

  #readCounters(reader: AttributeReader): void {
    while (reader.next()) {
      if (reader.type < 1 || reader.type > COUNTERS || reader.length !== 8) continue;
      const first = host.readU32(reader.buffer, reader.start);
      const second = host.readU32(reader.buffer, reader.start + 4);
      this.#scratch[reader.type - 1] = LITTLE ? second * WORD + first : first * WORD + second;
    }
  }

  /** A dump that is read again overwrites its rows. */
  #store(key: string): void {
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.#rows.size;
      this.#rows.set(key, row);
      if ((row + 1) * WIDTH > this.#values.length) {
        const larger = new Float64Array(2 * this.#values.length);
        larger.set(this.#values);
        this.#values = larger;
      }
    }
    this.#values.set(this.#scratch, row * WIDTH);
  }
}

/** `service`: its `serviceKeyText`. */
export const destinationKey = (service: string, address: Uint8Array, port: number): string =>
  `${service} ${bytesText(address)}/${port}`;

const lengthOf = (family: Family): number => (family === AF_INET6 ? 16 : 4);
/** The first of two 16-bit halves is the lower one. */
const LITTLE = host.word(1, 0) === 1;
