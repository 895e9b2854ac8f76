// SPDX-License-Identifier: MIT
// nftables rules on a balancer that drop packets in conntrack's state invalid.

/**
 * A rule set with `ct state invalid drop` at every hook that packets of FULLNAT pass. With `notrack` (for the sysctl
 * conntrack=0) these packets are exempt from conntrack: it never sees both directions of a connection as one tuple, so
 * that answers of real servers, later segments of clients, and the balancer's ICMP errors would be invalid.
 */
export function invalidDrop(vips: string[], laddrs: string[], notrack: boolean): string {
  const drop = (hook: string, priority: number) =>
    `chain ${hook} { type filter hook ${hook} priority ${priority}; ct state invalid counter drop; }`;
  const raw = `chain raw { type filter hook prerouting priority raw; ip daddr { ${[...vips, ...laddrs].join(', ')} } notrack; }`;
  const own = 'chain own { type filter hook output priority raw; icmp type destination-unreachable notrack; }';
  const count = ['established', 'untracked'].map((state) => `ct state ${state} counter;`).join(' ');
  return `table inet balancer {
    ${notrack ? `${raw}\n    ${own}` : ''}
    ${drop('prerouting', -150)}
    ${['input', 'forward', 'output'].map((hook) => drop(hook, 0)).join('\n    ')}
    ${drop('postrouting', 0)}
    chain count { type filter hook input priority 1; ${count} }
  }
`;
}

/** The counters of the rule set. */
export function packets(ruleset: string): { dropped: number; established: number; untracked: number } {
  const sum = (state: string) =>
    [...ruleset.matchAll(new RegExp(`ct state ${state} counter packets (\\d+)`, 'g'))].reduce(
      (total, [, count]) => total + Number(count),
      0,
    );
  return { dropped: sum('invalid'), established: sum('established'), untracked: sum('untracked') };
}
