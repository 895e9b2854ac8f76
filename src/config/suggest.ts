// SPDX-License-Identifier: MIT
/** Suggests known names for misspelled ones. */

/** The known name that `found` is most likely a misspelling of, or undefined. */
export function closest(found: string, known: Iterable<string>): string | undefined {
  const word = found.toLowerCase().replaceAll('-', '_');
  let best: string | undefined;
  // At most one difference per three letters, but always one: with more it is another word.
  let bound = Math.max(1, Math.floor(word.length / 3));
  for (const candidate of known) {
    const distance = differences(word, candidate.toLowerCase().replaceAll('-', '_'), bound);
    if (distance > bound || (best !== undefined && distance === bound)) continue;
    best = candidate;
    bound = distance;
  }
  return best;
}

/** Number of insertions, deletions, changes and swaps between two words, as far as it is at most `bound`. */
function differences(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) > bound || a.length > 100) return bound + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? bound + 1;
}

/** Names of keepalived and ipvsadm for keys that have another name here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  HTTP_GET: 'check: { type: http }',
  MISC_CHECK: 'check: { type: exec }',
  SSL_GET: 'check: { type: https }',
  TCP_CHECK: 'check: { type: tcp }',
  alpha: 'check: { start: down }',
  ca: 'tls: { ca: ... }',
  connect_timeout: 'check: { timeout: ... }',
  delay_before_retry: 'check: { interval: ... }',
  delay_loop: 'check: { interval: ... }',
  inhibit_on_failure: 'on_failure: inhibit',
  ip: 'address',
  lb_algo: 'scheduler',
  lb_kind: 'forward',
  lvs_method: 'forward',
  lvs_sched: 'scheduler',
  lthreshold: 'thresholds: { lower: ... }',
  mark: 'fwmark',
  method: 'forward',
  ops: 'one_packet',
  persistence_granularity: 'persistence: { granularity: ... }',
  persistence_timeout: 'persistence: { timeout: ... }',
  sni: 'tls: { server_name: ... }',
  server_name: 'tls: { server_name: ... }',
  tls: 'type: https',
  verify: 'tls: { verify: ... }',
  retry: 'check: { fall: ... }',
  uthreshold: 'thresholds: { upper: ... }',
  vip: 'address',
  virtual_server: 'services',
  virtual_servers: 'services',
  virtualhost: 'check: { host: ... }',
  weight: 'real_servers: [{ address: ..., weight: ... }]',
};

/** Their names for values. */
const VALUES_ELSEWHERE: Readonly<Record<string, string>> = {
  dr: 'direct',
  fnat: 'fullnat',
  gatewaying: 'direct',
  ipip: 'tunnel',
  masquerading: 'masquerade',
  tun: 'tunnel',
};

/** As `closest`, but also finds values by those names. */
export function closestValue(found: string, known: readonly string[]): string | undefined {
  const word = found.toLowerCase();
  const elsewhere = Object.hasOwn(VALUES_ELSEWHERE, word) ? VALUES_ELSEWHERE[word] : undefined;
  return elsewhere !== undefined && known.includes(elsewhere) ? elsewhere : closest(found, known);
}

/** As `closest`, but also finds keys by the names that keepalived and ipvsadm use. */
export function closestKey(found: string, known: readonly string[]): string | undefined {
  const elsewhere = Object.hasOwn(ELSEWHERE, found) ? ELSEWHERE[found] : undefined;
  if (elsewhere !== undefined && known.includes(elsewhere.split(':')[0] ?? '')) return elsewhere;
  return closest(found, known);
}
