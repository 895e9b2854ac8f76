// SPDX-License-Identifier: MIT
/** --where KEY=VALUE: filters of a listing. Values of the same key are alternatives, different keys must all match. */
import { type Family, parseAddress } from '../../base/addresses.ts';
import { type DestinationKey, type LocalAddress, namesByNumber, PROTOCOLS, type Service } from '../../ipvs/index.ts';
import type { Connection } from '../connection-table.ts';
import { usage } from '../errors.ts';

const protocols = namesByNumber(PROTOCOLS, 'name');

const KEYS = ['service', 'dest', 'client', 'laddr', 'protocol', 'state'] as const;
export type FilterKey = (typeof KEYS)[number];

/** A network, a port, or both, or a firewall mark. Undefined matches anything. */
interface Place {
  network?: { family: Family; bytes: Uint8Array; prefix: number } | undefined;
  port?: number | undefined;
  fwmark?: number | undefined;
}

interface At {
  address: Uint8Array;
  port: number;
}

export class Filters {
  readonly #places = new Map<FilterKey, Place[]>();
  readonly #words = new Map<FilterKey, string[]>();

  /** Adds one `KEY=VALUE`. Throws Fatal. */
  add(text: string): void {
    const equals = text.indexOf('=');
    const key = KEYS.find((name) => name === text.slice(0, equals));
    if (equals < 0 || !key) throw usage(`\`${text}' after --where: write KEY=VALUE, KEY one of ${KEYS.join(', ')}`);
    const value = text.slice(equals + 1);
    if (key === 'protocol' || key === 'state') push(this.#words, key, wordOf(key, value));
    else push(this.#places, key, placeOf(key, value));
  }

  has(key: FilterKey): boolean {
    return this.#places.has(key) || this.#words.has(key);
  }

  /** Does not consider the destinations and local addresses of the service. */
  service({ protocol, fwmark, address, port }: Service): boolean {
    const name = fwmark ? 'fwmark' : (protocols[protocol] ?? String(protocol));
    return this.#word('protocol', name) && this.#place('service', { address, port }, fwmark);
  }

  destination(dest: DestinationKey): boolean {
    return this.#place('dest', dest);
  }

  localAddress({ address }: LocalAddress): boolean {
    return this.#place('laddr', { address, port: 0 });
  }

  connection({ protocol, client, virtual, destination, state }: Connection): boolean {
    return (
      this.#word('protocol', protocol.toLowerCase()) &&
      this.#word('state', state.toLowerCase()) &&
      this.#place('client', client) &&
      this.#place('service', virtual) &&
      this.#place('dest', destination)
    );
  }

  #word(key: FilterKey, word: string): boolean {
    return this.#words.get(key)?.includes(word) ?? true;
  }

  #place(key: FilterKey, at: At, fwmark = 0): boolean {
    return this.#places.get(key)?.some((place) => matches(place, at, fwmark)) ?? true;
  }
}

function push<T>(map: Map<FilterKey, T[]>, key: FilterKey, item: T): void {
  const items = map.get(key);
  if (items) items.push(item);
  else map.set(key, [item]);
}

function wordOf(key: 'protocol' | 'state', value: string): string {
  const word = value.toLowerCase();
  if (key === 'protocol' && !['tcp', 'udp', 'sctp', 'fwmark'].includes(word))
    throw usage(`\`protocol=${value}' after --where: tcp, udp, sctp or fwmark`);
  if (word === '') throw usage(`\`${key}=' after --where: a value is missing`);
  return word;
}

/** `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1:80`, `:80`, `2001:db8::/32`, `[2001:db8::1]:80`, for services `fwmark:7`. */
function placeOf(key: FilterKey, value: string): Place {
  const wrong = () =>
    usage(`\`${key}=${value}' after --where: write ADDRESS, ADDRESS/PREFIX, ADDRESS:PORT, [IPV6]:PORT or :PORT`);
  const mark = key === 'service' ? /^fwmark:(\d+)$/.exec(value) : null;
  if (mark) return { fwmark: Number(mark[1]) };
  const { network, port } = split(value);
  const place: Place = {};
  if (network === '' && port === undefined) throw wrong();
  if (port !== undefined) {
    if (port > 65535 || key === 'laddr') throw wrong();
    place.port = port;
  }
  if (network !== '') {
    const [text = '', length, ...more] = network.split('/');
    const address = parseAddress(text);
    if (!address || more.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) throw wrong();
    const bits = 8 * address.bytes.length;
    const prefix = length === undefined ? bits : Number(length);
    if (prefix > bits) throw wrong();
    place.network = { ...address, prefix };
  }
  return place;
}

/** Splits off the port. A bare IPv6 address has none. */
function split(value: string): { network: string; port: number | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(value);
  if (bracketed)
    return { network: bracketed[1] ?? '', port: bracketed[2] === undefined ? undefined : Number(bracketed[2]) };
  const one = /^([^:]*):(\d{1,5})$/.exec(value);
  return one ? { network: one[1] ?? '', port: Number(one[2]) } : { network: value, port: undefined };
}

function matches({ network, port, fwmark }: Place, at: At, mark: number): boolean {
  if (fwmark !== undefined) return mark === fwmark;
  if (mark !== 0) return false;
  if (port !== undefined && port !== at.port) return false;
  return !network || within(network, at.address);
}

function within({ bytes, prefix }: { bytes: Uint8Array; prefix: number }, address: Uint8Array): boolean {
  if (bytes.length !== address.length) return false;
  for (let bit = 0; bit < prefix; bit += 8) {
    const mask = prefix - bit >= 8 ? 0xff : (0xff00 >> (prefix - bit)) & 0xff;
    if ((((bytes[bit >> 3] ?? 0) ^ (address[bit >> 3] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}
