// SPDX-License-Identifier: MIT
/**
 * The classic BPF program (linux/filter.h) that lets only messages of own virtual router IDs reach a socket: the kernel
 * drops those of others without waking this process.
 */
import { AF_INET, type Family } from '../base/addresses.ts';
import { host } from '../netlink/endian.ts';

/** BPF_LDX | BPF_B | BPF_MSH: X = 4 * (byte & 15), the length of an IPv4 header. */
const LOAD_HEADER_LENGTH = 0xb1;
/** BPF_LD | BPF_B | BPF_IND: A = byte at X + k. */
const LOAD_INDIRECT = 0x50;
/** BPF_LD | BPF_B | BPF_ABS: A = byte at k. */
const LOAD = 0x30;
/** BPF_JMP | BPF_JEQ | BPF_K. */
const JUMP_EQUAL = 0x15;
/** BPF_RET | BPF_K: the number of bytes to keep. */
const RETURN = 0x06;
const WHOLE = 0xffffffff;
const INSTRUCTION = 8;
/** Offset of the virtual router ID in a message. */
const VIRTUAL_ROUTER_ID = 1;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

/**
 * Raw IPv4 sockets see packets from the IP header on, IPv6 ones from the message on. A message that ends before its ID
 * does not pass either: the kernel drops what the program reads beyond the end.
 */
export function advertFilter(family: Family, virtualRouterIds: Iterable<number>): Buffer {
  const load: Instruction[] =
    family === AF_INET
      ? [
          [LOAD_HEADER_LENGTH, 0, 0, 0],
          [LOAD_INDIRECT, 0, 0, VIRTUAL_ROUTER_ID],
        ]
      : [[LOAD, 0, 0, VIRTUAL_ROUTER_ID]];
  // Each test is followed by its own return, since a jump spans at most 255 instructions.
  const tests = [...new Set(virtualRouterIds)].flatMap((id): Instruction[] => [
    [JUMP_EQUAL, 0, 1, id],
    [RETURN, 0, 0, WHOLE],
  ]);
  const program = [...load, ...tests, [RETURN, 0, 0, 0] as const];
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
