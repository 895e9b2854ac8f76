// SPDX-License-Identifier: MIT
/** Control messages of sendmsg(2) and recvmsg(2): struct cmsghdr of 64-bit Linux, cmsg(3). */
import { host } from '../netlink/endian.ts';

/** Length (u64), level and type (i32), then the data; the next message starts at a multiple of 8. */
const HEADER_LENGTH = 16;
const align = (length: number): number => (length + 7) & ~7;

export interface ControlMessage {
  level: number;
  type: number;
  data: Uint8Array;
}

/** Encodes one control message. */
export function writeControlMessage({ level, type, data }: ControlMessage): Buffer {
  const buffer = Buffer.alloc(align(HEADER_LENGTH + data.length));
  host.writeU32(buffer, HEADER_LENGTH + data.length, 0);
  host.writeU32(buffer, level, 8);
  host.writeU32(buffer, type, 12);
  buffer.set(data, HEADER_LENGTH);
  return buffer;
}

/** The control messages of a received message; what is cut off at the end is left out. They share its memory. */
export function readControlMessages(buffer: Buffer): ControlMessage[] {
  const messages: ControlMessage[] = [];
  for (let at = 0; at + HEADER_LENGTH <= buffer.length; ) {
    const length = host.readU32(buffer, at);
    if (length < HEADER_LENGTH || at + length > buffer.length) break;
    const [level, type] = [host.readU32(buffer, at + 8), host.readU32(buffer, at + 12)];
    messages.push({ level, type, data: buffer.subarray(at + HEADER_LENGTH, at + length) });
    at += align(length);
  }
  return messages;
}
