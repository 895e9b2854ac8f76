// SPDX-License-Identifier: MIT
// Conditions of FULLNAT traffic, and ten rows that cover every pair of their values.

/** The values of each condition. The first ones are those of the run at defaults. */
export const conditions = {
  /**
   * gso: segments cross every device as one super-packet. gro: senders segment, the balancer's devices merge, into lists
   * of packets where the kernel can (rx-gro-list). off: neither, and no device computes checksums, so that captures can
   * be verified.
   */
  offload: ['gso', 'gro', 'off'],
  /** The leg with an MTU of 1400, in both directions; other links have 1500. */
  mtu: ['1500', 'client', 'server'],
  /** The leg with 1 % loss and reordering, in both directions. */
  loss: ['none', 'client', 'server'],
  /** The sysctl of IPVS, with `ct state invalid drop` in nftables; absent: no conntrack in the balancer's namespace. */
  conntrack: ['absent', '1', '0'],
  timestamps: ['on', 'off'],
  sack: ['on', 'off'],
  /** Whether the client's TCP options are where a kernel writes them, or at odd offsets. */
  options: ['kernel', 'odd'],
} as const;

type Conditions = typeof conditions;
export type Row = { [name in keyof Conditions]: Conditions[name][number] };

const names = Object.keys(conditions) as (keyof Conditions)[];

export const defaults = Object.fromEntries(names.map((name) => [name, conditions[name][0]])) as Row;

const table = `
  gso  1500    client  absent  off  on   odd
  gro  client  none    absent  off  off  odd
  off  client  client  absent  on   off  kernel
  off  server  server  absent  off  on   odd
  gso  client  server  1       on   off  odd
  gro  server  client  1       off  on   kernel
  off  1500    none    1       on   on   kernel
  gso  server  none    0       on   off  kernel
  gro  1500    server  0       on   off  kernel
  off  client  client  0       off  on   odd
`;

export const rows: Row[] = table
  .trim()
  .split('\n')
  .map((line) => {
    const words = line.trim().split(/\s+/);
    return Object.fromEntries(names.map((name, column) => [name, words[column]])) as Row;
  });

/** Pairs of values that no row has, such as `offload=gso mtu=client`. */
export function missingPairs(): string[] {
  const missing: string[] = [];
  for (const [index, a] of names.entries()) {
    for (const b of names.slice(index + 1)) {
      for (const aValue of conditions[a]) {
        for (const bValue of conditions[b]) {
          if (!rows.some((row) => row[a] === aValue && row[b] === bValue))
            missing.push(`${a}=${aValue} ${b}=${bValue}`);
        }
      }
    }
  }
  return missing;
}

export function describeRow(row: Row): string {
  return names.map((name) => `${name}=${row[name]}`).join(' ');
}
