// SPDX-License-Identifier: MIT
/**
 * Decides whether a received VRRP message may reach an instance. Each check rejects with a reason of its own, in a fixed
 * order, so that counters can be compared between versions (docs/vrrp.md). Pure.
 */
import { timingSafeEqual } from 'node:crypto';
import { AF_INET, type Family, formatAddress } from '../base/addresses.ts';
import {
  ADVERTISEMENT,
  addressesOf,
  checksumHolds,
  GROUP_IPV4,
  HEADER_LENGTH,
  type Header,
  intervalOf,
  messageLength,
  NO_AUTHENTICATION,
  PASSWORD_LENGTH,
  readHeader,
  SIMPLE_PASSWORD,
} from './packet.ts';
import { SECOND, type Version } from './timing.ts';

/** Reasons of rejection, in the order of the checks. */
export const REJECTIONS = [
  'too short',
  'IP length',
  'unknown version',
  'unknown virtual router',
  'TTL',
  'other version',
  'type',
  'length',
  'checksum',
  'authentication type',
  'password',
  'destination',
  'not a peer',
  'own address',
  'interval',
  'interval of 0',
] as const;

export type Rejection = (typeof REJECTIONS)[number];

/** A message as it arrived. */
export interface Received {
  family: Family;
  source: Uint8Array;
  destination: Uint8Array;
  /** Time to live or hop limit. */
  ttl: number;
  /** Payload length by the IP header. */
  length: number;
  /** The payload that was received. */
  message: Uint8Array;
}

/** A unicast peer; a range of TTLs is checked only if given. */
export interface Peer {
  address: Uint8Array;
  minTtl?: number;
  maxTtl?: number;
}

/** An instance's demands on the messages that it accepts. */
export interface Expectations {
  version: Version;
  family: Family;
  /** Own advertisement interval in microseconds; version 2 needs the same one. */
  interval: number;
  /** The addresses of this node that adverts are sent from. */
  own: Uint8Array;
  /** Destination of multicast adverts; undefined with unicast. */
  group: Uint8Array | undefined;
  /** Unicast peers; undefined with multicast. */
  peers: readonly Peer[] | undefined;
  /** Unicast: also accept senders that are not peers. */
  fromAnywhere: boolean;
  /** Version 2: the 8 bytes of the password. */
  password: Uint8Array | undefined;
  /** Version 3 over IPv4: also accept a checksum without pseudo header. */
  checksumWithoutPseudoHeader: boolean;
}

/** An advertisement that passed every check. */
export interface AcceptedAdvert {
  priority: number;
  /** Microseconds. */
  interval: number;
  source: Uint8Array;
  addresses: Uint8Array[];
}

export type Acceptance<T extends Expectations> =
  | { accepted: true; instance: T; advert: AcceptedAdvert }
  | { accepted: false; instance: T | undefined; virtualRouterId: number; reason: Rejection; text: string };

/** Checks a message against the instance that `find` returns for its virtual router ID. Never throws. */
export function acceptMessage<T extends Expectations>(
  received: Received,
  find: (virtualRouterId: number) => T | undefined,
): Acceptance<T> {
  const { message } = received;
  const rejected = (reason: Rejection, text: string, id = 0, instance?: T): Acceptance<T> => ({
    accepted: false,
    instance,
    virtualRouterId: id,
    reason,
    text,
  });
  if (message.length < HEADER_LENGTH) return rejected('too short', `${message.length} bytes; the header has 8`);
  const header = readHeader(message);
  const id = header.virtualRouterId;
  if (received.length !== message.length)
    return rejected('IP length', `${received.length} bytes by the IP header, ${message.length} received`, id);
  if (header.version !== 2 && header.version !== 3) return rejected('unknown version', `version ${header.version}`, id);
  const instance = find(id);
  if (instance === undefined) return rejected('unknown virtual router', `virtual_router_id ${id}`, id);
  const fault = checkInstance(received, header, instance);
  if (fault !== undefined) return rejected(...fault, id, instance);
  return {
    accepted: true,
    instance,
    advert: {
      priority: header.priority,
      interval: intervalOf(instance.version, header.word),
      source: received.source,
      addresses: addressesOf(message, instance.family, header.count),
    },
  };
}

type Fault = [Rejection, string];

/** The first check that a message fails. */
function checkInstance(received: Received, header: Header, expected: Expectations): Fault | undefined {
  const { message, source, destination } = received;
  const peer = expected.peers?.find(({ address }) => Buffer.compare(address, source) === 0);
  const ttl = checkTtl(received.ttl, expected, peer);
  if (ttl !== undefined) return ['TTL', ttl];
  if (header.version !== expected.version)
    return ['other version', `version ${header.version}; this node has version ${expected.version}`];
  if (header.type !== ADVERTISEMENT) return ['type', `type ${header.type}; 1 is an advertisement`];
  const length = messageLength(expected.version, expected.family, header.count);
  if (message.length !== length)
    return ['length', `${message.length} bytes; ${header.count} addresses need exactly ${length}`];
  const sum = checkChecksum(received, expected);
  if (sum !== undefined) return ['checksum', sum];
  if (expected.version === 2) {
    const fault = checkPassword(message, header, expected);
    if (fault !== undefined) return fault;
  }
  const wanted = expected.group ?? expected.own;
  if (Buffer.compare(destination, wanted) !== 0)
    return ['destination', `sent to ${text(expected, destination)}; expected ${text(expected, wanted)}`];
  if (expected.peers !== undefined && peer === undefined && !expected.fromAnywhere)
    return ['not a peer', `${text(expected, source)} is not in unicast.peers`];
  if (Buffer.compare(source, expected.own) === 0)
    return ['own address', `${text(expected, source)} is this node's own`];
  const interval = intervalOf(expected.version, header.word);
  if (expected.version === 2 && interval !== expected.interval) {
    const [theirs, ours] = [interval / SECOND, expected.interval / SECOND];
    return ['interval', `${text(expected, source)} advertises every ${theirs} s, this node every ${ours} s`];
  }
  if (interval === 0) return ['interval of 0', `${text(expected, source)} sent an advertisement interval of 0`];
  return undefined;
}

function checkTtl(ttl: number, { peers }: Expectations, peer: Peer | undefined): string | undefined {
  // RFC 9568 section 5.1.1.3. Unicast has no such rule; keepalived sends IPv6 unicast with a hop limit of 64.
  const [least, most] = peers === undefined ? [255, 255] : [peer?.minTtl ?? 0, peer?.maxTtl ?? 255];
  if (ttl >= least && ttl <= most) return undefined;
  return `TTL ${ttl}; ${least === most ? `${least} expected` : `${least} to ${most} allowed`}`;
}

/** If the checksum is wrong, a text, which names the addresses that it would be right for. */
function checkChecksum({ message, source, destination }: Received, expected: Expectations): string | undefined {
  const { version, family, peers } = expected;
  if (checksumHolds(message, version, { source, destination })) return undefined;
  if (version === 2 || family !== AF_INET) return 'wrong checksum';
  // keepalived before 1.3.6 computed the checksum of unicast adverts with the multicast group.
  if (peers !== undefined && checksumHolds(message, version, { source, destination: GROUP_IPV4 })) return undefined;
  if (checksumHolds(message, 2, { source, destination }))
    return expected.checksumWithoutPseudoHeader
      ? undefined
      : 'wrong checksum: it leaves the pseudo header out (checksum: without_pseudo_header accepts that)';
  const sender = peers?.find(({ address }) => checksumHolds(message, version, { source: address, destination }));
  if (sender !== undefined)
    return `wrong checksum: it is right for source ${text(expected, sender.address)} (address translation on the way?)`;
  return 'wrong checksum';
}

function checkPassword(message: Uint8Array, header: Header, { password }: Expectations): Fault | undefined {
  const type = header.word >> 8;
  const wanted = password === undefined ? NO_AUTHENTICATION : SIMPLE_PASSWORD;
  if (type !== wanted) return ['authentication type', `authentication type ${type}; this node has ${wanted}`];
  if (password !== undefined && !timingSafeEqual(message.subarray(-PASSWORD_LENGTH), password))
    return ['password', 'wrong password'];
  return undefined;
}

function text({ family }: Expectations, address: Uint8Array): string {
  return formatAddress(family, address);
}

/** Whether an advert lists other addresses than this node, whatever their order. */
export function listDiffers(advert: AcceptedAdvert, own: readonly Uint8Array[]): boolean {
  const keys = (list: readonly Uint8Array[]) => list.map((address) => Buffer.from(address).toString('hex')).sort();
  return keys(advert.addresses).join() !== keys(own).join();
}
