// SPDX-License-Identifier: MIT
// A layer of unpacked Debian packages: programs for the guest that the user's machine may lack.
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { cached, hashOf } from './cache.ts';
import { unpackDebs, wouldInstall } from './debs.ts';
import { say } from './errors.ts';

const programs = [
  'conntrack',
  'curl',
  'ethtool',
  'iperf3',
  'iproute2',
  'ipset',
  'iptables',
  'iputils-ping',
  'ipvsadm',
  'jq',
  'keepalived',
  'kmod',
  'ldirectord',
  'netcat-openbsd',
  'nftables',
  'nginx-light',
  'procps',
  'prometheus',
  'prometheus-node-exporter',
  'psmisc',
  'python3-minimal',
  'socat',
  'strace',
  'tcpdump',
  'tshark',
];

/** Links that update-alternatives would make on installation. */
const alternatives: [string, string][] = [
  ...['iptables', 'iptables-save', 'iptables-restore', 'ip6tables', 'ip6tables-save', 'ip6tables-restore'].map(
    (name): [string, string] => [`usr/sbin/${name}`, name.replace('tables', 'tables-nft')],
  ),
  ['usr/bin/nc', 'nc.openbsd'],
];

/**
 * Returns the layer, made once for each state of the host. It lacks the packages that the host has installed, since the
 * guest sees the host's files.
 */
export async function programLayer(): Promise<string> {
  const key = hashOf(programs.join(' '), JSON.stringify(alternatives), readFileSync('/var/lib/dpkg/status'));
  return await cached('programs', key, (dir) => {
    const packages = wouldInstall(programs);
    say(`downloading ${packages.length} packages for the guest`);
    mkdirSync(join(dir, 'usr'));
    if (packages.length > 0) unpackDebs(packages, dir);
    for (const [path, target] of alternatives) {
      const there = existsSync(join(dir, path)) || existsSync(join('/', path));
      if (!there && existsSync(join(dir, path, '..', target))) symlinkSync(target, join(dir, path));
    }
  });
}
