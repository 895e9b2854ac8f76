// SPDX-License-Identifier: MIT
/**
 * What the handshake of a check has negotiated with a real server, as one number: tens of thousands are kept and sent.
 * Bits 0 to 2: timestamps, SACK, window scale (TCPI_OPT_*); bit 3 is set; bits 4 to 7: the real server's window scale;
 * bits 8 to 23: the MSS that it takes. 0: not known. native/connector.c makes the same number. Pure.
 */
const TIMESTAMPS = 1;
const SACK = 2;
const SCALE = 4;
const KNOWN = 8;
/** Timestamps take this much of each segment. */
const TIMESTAMPS_LENGTH = 12;

export interface Negotiated {
  timestamps: boolean;
  sack: boolean;
  /** Undefined: the real server scales no windows. */
  windowScale: number | undefined;
  mss: number;
}

/** From the fields of struct tcp_info. */
export function packNegotiated(options: number, windowScale: number, segment: number): number {
  const mss = segment + (options & TIMESTAMPS ? TIMESTAMPS_LENGTH : 0);
  return (options & (TIMESTAMPS | SACK | SCALE)) | KNOWN | (windowScale << 4) | ((mss & 0xffff) << 8);
}

export function unpackNegotiated(packed: number): Negotiated {
  return {
    timestamps: (packed & TIMESTAMPS) !== 0,
    sack: (packed & SACK) !== 0,
    windowScale: packed & SCALE ? (packed >> 4) & 15 : undefined,
    mss: packed >>> 8,
  };
}
