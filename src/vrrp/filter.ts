// SPDX-License-Identifier: MIT
/**
 * The classic BPF program (linux/filter.h) that lets only messages of own virtual routers reach a socket: the kernel drops
 * those of others, and those from beyond a router, without waking this process.
 */
import { AF_INET, AF_INET6, type Family } from '../base/addresses.ts';
import { host } from '../netlink/endian.ts';
import { GROUP_IPV4, GROUP_IPV6 } from './packet.ts';

/** BPF_LDX | BPF_B | BPF_MSH: X = 4 * (byte & 15), the length of an IPv4 header. */
const LOAD_HEADER_LENGTH = 0xb1;
/** BPF_LD | BPF_B | BPF_IND: A = byte at X + k. */
const LOAD_INDIRECT = 0x50;
/** BPF_LD | BPF_B | BPF_ABS: A = byte at k. */
const LOAD = 0x30;
/** BPF_LD | BPF_W | BPF_ABS: A = word at k, most significant byte first. */
const LOAD_WORD = 0x20;
/** BPF_JMP | BPF_JA: over k instructions. */
const JUMP = 0x05;
/** BPF_JMP | BPF_JEQ | BPF_K. */
const JUMP_EQUAL = 0x15;
/** BPF_JMP | BPF_JGE | BPF_K. */
const JUMP_AT_LEAST = 0x35;
/** BPF_RET | BPF_K: the number of bytes to keep. */
const RETURN = 0x06;
const WHOLE = 0xffffffff;
const INSTRUCTION = 8;
/** Offset of the virtual router ID in a message. */
const VIRTUAL_ROUTER_ID = 1;

/**
 * SKF_NET_OFF: offsets from the IP header on, wherever the data of the socket begins. A raw IPv6 socket sees messages
 * without their header, and has no other way to check the hop limit in the kernel: IPV6_MINHOPCOUNT is for TCP.
 */
const IPV6_HEADER = -0x100000 >>> 0;
/** Where the fields of IP headers are. */
const HEADERS = {
  [AF_INET]: { ttl: 8, destination: 16, group: Buffer.from(GROUP_IPV4) },
  [AF_INET6]: { ttl: IPV6_HEADER + 7, destination: IPV6_HEADER + 24, group: Buffer.from(GROUP_IPV6) },
} as const;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

/** What messages of one virtual router must have to pass. */
export interface Passable {
  virtualRouterId: number;
  multicast: boolean;
  /** Of the TTL or hop limit. */
  minTtl: number;
}

/**
 * Raw IPv4 sockets see packets from the IP header on, IPv6 ones from the message on. A message that ends before its ID
 * does not pass either: the kernel drops what the program reads beyond the end.
 */
export function advertFilter(family: Family, routers: Iterable<Passable>): Buffer {
  const ipv4 = family === AF_INET;
  const load: Instruction[] = ipv4
    ? [
        [LOAD_HEADER_LENGTH, 0, 0, 0],
        [LOAD_INDIRECT, 0, 0, VIRTUAL_ROUTER_ID],
      ]
    : [[LOAD, 0, 0, VIRTUAL_ROUTER_ID]];
  // Routers with equal conditions share the instructions for them: the kernel limits the size of the program.
  const conditions = new Map<string, { instructions: Instruction[]; start: number }>();
  const tests: { id: number; key: string }[] = [];
  for (const { virtualRouterId: id, multicast, minTtl } of routers) {
    const key = `${multicast} ${minTtl}`;
    tests.push({ id, key });
    conditions.set(key, { instructions: conditionsOf(family, multicast, minTtl), start: 0 });
  }
  let start = load.length + 2 * tests.length + 1;
  for (const one of conditions.values()) {
    one.start = start;
    start += one.instructions.length;
  }
  const program = [...load];
  // Each test is followed by its own jump, since those of tests span at most 255 instructions.
  for (const { id, key } of tests) {
    program.push([JUMP_EQUAL, 0, 1, id]);
    program.push([JUMP, 0, 0, (conditions.get(key)?.start ?? 0) - program.length - 1]);
  }
  program.push([RETURN, 0, 0, 0]);
  for (const { instructions } of conditions.values()) program.push(...instructions);
  const bytes = Buffer.alloc(INSTRUCTION * program.length);
  for (const [index, [code, jumpTrue, jumpFalse, k]] of program.entries()) {
    const at = INSTRUCTION * index;
    host.writeU16(bytes, code, at);
    bytes[at + 2] = jumpTrue;
    bytes[at + 3] = jumpFalse;
    host.writeU32(bytes, k, at + 4);
  }
  return bytes;
}

function conditionsOf(family: Family, multicast: boolean, minTtl: number): Instruction[] {
  const { ttl, destination, group } = HEADERS[family];
  const instructions: Instruction[] = [];
  if (minTtl > 0) instructions.push([LOAD, 0, 0, ttl], [JUMP_AT_LEAST, 1, 0, minTtl], [RETURN, 0, 0, 0]);
  for (let at = 0; multicast && at < group.length; at += 4) {
    instructions.push([LOAD_WORD, 0, 0, destination + at]);
    instructions.push([JUMP_EQUAL, 1, 0, group.readUInt32BE(at)], [RETURN, 0, 0, 0]);
  }
  return [...instructions, [RETURN, 0, 0, WHOLE]];
}
