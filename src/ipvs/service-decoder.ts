// SPDX-License-Identifier: MIT
/**
 * Decodes the services of a long dump where the kernel puts each attribute, one comparison per attribute header, without
 * intermediate objects. A service that looks different (with a mark, a persistence engine, a range of ports, SYN proxy, a defence) is
 * left to the general decoder: test/property/ipvs-service-decoder.test.ts compares the two.
 */
import { AF_INET, AF_INET6 } from '../base/addresses.ts';
import { NLA_HDRLEN } from '../netlink/constants.ts';
import { host } from '../netlink/endian.ts';
import { AttributeReader } from '../netlink/reader.ts';
import { netmaskOnWire } from './codec.ts';
import { COMMAND, SERVICE, SERVICE_STATS, SERVICE_STATS64 } from './tables.ts';
import type { Service } from './types.ts';

/** The header of an attribute, with so many bytes of payload, as one word. */
const header = ([type]: readonly [type: number, ...unknown[]], length: number): number =>
  host.word(NLA_HDRLEN + length, type);

const FAMILY = header(SERVICE.family, 2);
const IPV4 = host.word(AF_INET, 0);
const IPV6 = host.word(AF_INET6, 0);
const PROTOCOL = header(SERVICE.protocol, 2);
const ADDRESS = header(SERVICE.address, 16);
const PORT = header(SERVICE.port, 2);
const FLAGS = header(SERVICE.flags, 8);
const TIMEOUT = header(SERVICE.timeout, 4);
const NETMASK = header(SERVICE.netmask, 4);
const LOCAL_ADDRESSES = header(SERVICE.numLocalAddresses, 4);

export class ServiceDecoder {
  /** The receive buffer, which all messages of a dump share, and its words. */
  #buffer: Buffer = Buffer.allocUnsafeSlow(0);
  #words: Int32Array = new Int32Array(0);
  /** The attribute with the name of the last scheduler, as words, and the name: most services have the same. */
  #schedulerWords: Int32Array = new Int32Array(0);
  #scheduler = '';

  /** The service of a message without its statistics; undefined if it is not laid out as most are. */
  decode({ buffer, position, end }: AttributeReader): Service | undefined {
    if (buffer !== this.#buffer) this.#useBuffer(buffer);
    const words = this.#words;
    let at = position >> 2;
    const family = words[at + 2] === IPV4 ? AF_INET : AF_INET6;
    if (
      position & 3 ||
      words[at] !== header(COMMAND.service, end - position - NLA_HDRLEN) ||
      words[at + 1] !== FAMILY ||
      (family === AF_INET6 && words[at + 2] !== IPV6) ||
      words[at + 3] !== PROTOCOL ||
      words[at + 5] !== ADDRESS ||
      words[at + 10] !== PORT
    )
      return undefined;
    const protocol = host.readU16(buffer, position + 16);
    const address = new Uint8Array(family === AF_INET ? 4 : 16);
    for (let i = 0; i < address.length; i++) address[i] = buffer[position + 24 + i] as number;
    const port = ((buffer[position + 44] as number) << 8) | (buffer[position + 45] as number);
    at = this.#readScheduler(at + 12, end);
    if (words[at] !== FLAGS || words[at + 3] !== TIMEOUT || words[at + 5] !== NETMASK) return undefined;
    const netmask = words[at + 6] as number;
    const service: Service = {
      family,
      protocol,
      address,
      port,
      fwmark: 0,
      scheduler: this.#scheduler,
      flags: (words[at + 1] as number) >>> 0,
      timeout: (words[at + 4] as number) >>> 0,
      netmask: netmask === -1 ? 0xffffffff : netmaskOnWire(family, netmask >>> 0),
      peName: '',
      portMin: undefined,
      portMax: undefined,
      synProxy: undefined,
      defence: undefined,
      numLocalAddresses: undefined,
      stats: undefined,
    };
    at = this.#skip(SERVICE_STATS64, this.#skip(SERVICE_STATS, at + 7));
    if (words[at] === LOCAL_ADDRESSES) {
      service.numLocalAddresses = (words[at + 1] as number) >>> 0;
      at += 2;
    }
    return 4 * at === end ? service : undefined;
  }

  #useBuffer(buffer: Buffer): void {
    this.#buffer = buffer;
    this.#words = new Int32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
  }

  /** Reads the name at that word, and returns the word after it. */
  #readScheduler(at: number, end: number): number {
    const known = this.#schedulerWords;
    let same = 0;
    while (same < known.length && known[same] === this.#words[at + same]) same++;
    if (same < known.length || same === 0) {
      const reader = new AttributeReader(this.#buffer, 4 * at, end);
      if (!reader.next() || reader.type !== SERVICE.scheduler[0]) return at;
      this.#scheduler = reader.string();
      this.#schedulerWords = this.#words.slice(at, reader.position >> 2);
    }
    return at + this.#schedulerWords.length;
  }

  /** The word after an attribute of that type; `at` if there is another one. */
  #skip(type: number, at: number): number {
    const offset = 4 * at;
    if (offset + NLA_HDRLEN > this.#buffer.length || host.readU16(this.#buffer, offset + 2) !== type) return at;
    return at + ((host.readU16(this.#buffer, offset) + 3) >> 2);
  }
}
