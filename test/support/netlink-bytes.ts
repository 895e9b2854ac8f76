// SPDX-License-Identifier: MIT
// Builds expected bytes independently of the code under test: little-endian, like the machines that run the tests.

export const u8 = (value: number): number[] => [value];
export const u16 = (value: number): number[] => [value & 255, value >> 8];
export const u32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
export const u64 = (value: bigint): number[] => [
  ...u32(Number(value & 0xffffffffn)),
  ...u32(Number((value >> 32n) & 0xffffffffn)),
];
export const be16 = (value: number): number[] => [value >> 8, value & 255];
export const text = (value: string): number[] => [...value].map((letter) => letter.charCodeAt(0));
export const zeros = (count: number): number[] => Array<number>(count).fill(0);

/** An attribute, padded. */
export function attr(type: number, ...payload: number[][]): number[] {
  const bytes = payload.flat();
  return [...u16(4 + bytes.length), ...u16(type), ...bytes, ...zeros((4 - (bytes.length % 4)) % 4)];
}

export const nest = (type: number, ...payload: number[][]): number[] => attr(type | 0x8000, ...payload);

/** A netlink message. */
export function message(type: number, flags: number, sequence: number, ...payload: number[][]): number[] {
  const bytes = payload.flat();
  return [...u32(16 + bytes.length), ...u16(type), ...u16(flags), ...u32(sequence), ...u32(0), ...bytes];
}

export const genl = (command: number): number[] => [command, 1, 0, 0];
