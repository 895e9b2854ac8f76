// SPDX-License-Identifier: MIT
// nftables rules on a balancer that drop packets which conntrack calls invalid.

/**
 * A rule set with `ct state invalid drop` at every hook that packets of FULLNAT pass. With `notrack` (the sysctl
 * conntrack=0) conntrack must not look at them at all: it never sees both directions of a connection under one tuple,
 * so that what a real server answers to a local address, and in time what a client sends, would be invalid to it; so
 * would the ICMP errors that the balancer itself sends about such packets.
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

/** What the rule set has counted. */
export function packets(ruleset: string): { dropped: number; established: number; untracked: number } {
  const sum = (state: string) =>
    [...ruleset.matchAll(new RegExp(`ct state ${state} counter packets (\\d+)`, 'g'))].reduce(
      (total, [, count]) => total + Number(count),
      0,
    );
  return { dropped: sum('invalid'), established: sum('established'), untracked: sum('untracked') };
}
