// SPDX-License-Identifier: MIT
// nftables on a balancer that drops what conntrack calls invalid.

/**
 * A rule set with `ct state invalid drop` at every hook that packets of FULLNAT pass. With `notrack` (the sysctl
 * conntrack=0) conntrack must not look at them at all: it never sees both directions of a connection under one tuple,
 * so that what a real server answers to a local address, and in time what a client sends, would be invalid to it.
 */
export function invalidDrop(vip: string, laddrs: string[], notrack: boolean): string {
  const drop = (hook: string, priority: number) =>
    `chain ${hook} { type filter hook ${hook} priority ${priority}; ct state invalid counter drop; }`;
  const raw = `chain raw { type filter hook prerouting priority raw; ip daddr { ${[vip, ...laddrs].join(', ')} } notrack; }`;
  return `table inet balancer {
    ${notrack ? raw : ''}
    ${drop('prerouting', -150)}
    ${['input', 'forward', 'output'].map((hook) => drop(hook, 0)).join('\n    ')}
    ${drop('postrouting', 0)}
  }
`;
}
