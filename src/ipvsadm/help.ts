// SPDX-License-Identifier: MIT
/** --help and --version. */
import { version } from '../base/version.ts';

/** The version of ipvsadm whose command line this is. */
const MODEL = 'ipvsadm 1.31';

/** Under the name ipvsadm it is the line of ipvsadm 1.31, which scripts parse. */
export function versionLine(program: string): string {
  if (program === 'ipvsadm') return 'ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)';
  return `${program} v${version()} (command line of ${MODEL}, with FULLNAT)`;
}

const rows = (entries: readonly (readonly [string, string])[]): string =>
  entries.map(([left, right]) => `  ${left.padEnd(33)} ${right}\n`).join('');

const COMMANDS = [
  ['-A, --add-service', 'add a virtual service'],
  ['-E, --edit-service', 'change a virtual service'],
  ['-D, --delete-service', 'delete a virtual service and its real servers'],
  ['-C, --clear', 'delete the whole table'],
  ['-a, --add-server', 'add a real server'],
  ['-e, --edit-server', 'change a real server'],
  ['-d, --delete-server', 'delete a real server'],
  ['-P, --add-laddr', 'add a local address (FULLNAT)'],
  ['-Q, --del-laddr', 'delete a local address'],
  ['-G, --get-laddr', 'list local addresses'],
  ['    --secret FILE', 'set the secret of sequence numbers of FULLNAT; - is standard input'],
  ['    --cookie-secret FILE', 'set the secret of SYN cookies (SYN proxy)'],
  ['-L, -l, --list', 'list the table, one service, connections, timeouts or daemons'],
  ['-Z, --zero', 'set counters to zero, of one service or all'],
  ['-S, --save', 'print the table as rules'],
  ['-R, --restore', 'apply rules from standard input'],
  ['save --full', 'print everything as rules, with thresholds, timeouts and daemons'],
  ['diff FILE', 'what a restore of the file would change; with --json as JSON'],
  ['restore --atomic FILE', 'make the table match the file, or change nothing'],
  ['    --set TCP TCPFIN UDP', 'set connection timeouts in seconds; 0 leaves one unchanged'],
  ['    --start-daemon master|backup', 'start connection synchronisation'],
  ['    --stop-daemon master|backup', 'stop it'],
  ['-h, --help', 'print this'],
  ['-v, --version', 'print the version'],
] as const;

const GLOBALS = [
  ['    --netns NAME|PATH', 'before the command: work in this network namespace'],
  ['    --strict', 'before the command: avoid known defects of ipvsadm (see the manual)'],
] as const;

const OPTIONS = [
  ['-t, --tcp-service HOST[:PORT]', 'a TCP service; [V6]:PORT for IPv6'],
  ['-u, --udp-service HOST[:PORT]', 'a UDP service'],
  ['    --sctp-service HOST[:PORT]', 'an SCTP service'],
  ['-f, --fwmark-service MARK', 'all packets with this firewall mark'],
  ['-6, --ipv6', 'after -f: the IPv6 ones'],
  ['-s, --scheduler NAME', 'rr, wrr, lc, wlc (default), lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh'],
  ['-b, --sched-flags FLAGS', 'after -A and -E: sh-fallback, sh-port, mh-fallback, mh-port, flag-1 ...'],
  ['-p, --persistent [SECONDS]', 'keep a client with its server; 360 seconds by default'],
  ['-M, --netmask MASK', 'clients that are treated as one; for IPv6 a prefix length'],
  ['    --pe NAME', 'persistence engine'],
  ['-o, --ops', 'schedule every UDP packet separately'],
  ['    --local-ports MIN-MAX', "after -A and -E: the local addresses' ports that FULLNAT may use"],
  ['-j, --synproxy enable|disable', 'after -A and -E: answer SYNs with cookies; with FULLNAT or NAT'],
  ['    --synproxy-opts LIST', 'with -j enable, what clients are offered: mss=, wscale=, sack=, timestamps=, window='],
  ['    --defence LIST|none', 'after -A and -E: drop-strays, drop-fragments, syn-rate=N, syn-burst=N'],
  ['-r, --real-server HOST[:PORT]', 'a real server; by default with the port of the service'],
  ['-g, --gatewaying', 'forward by direct routing (default)'],
  ['-i, --ipip', 'forward by tunnelling'],
  ['-m, --masquerading', 'forward by NAT'],
  ['-b, --fullnat', 'after -a and -e: forward by FULLNAT; the service needs local addresses (-P)'],
  ['-w, --weight N', 'capacity of a real server, 1 by default'],
  ['-x, --u-threshold N', 'maximum connections of a real server'],
  ['-y, --l-threshold N', 'connections below which it is used again'],
  [
    '    --tun-type ipip|gue|gre',
    'encapsulation of -i; with --tun-port (gue), --tun-nocsum, --tun-csum, --tun-remcsum',
  ],
  ['-z, --laddr ADDRESS', 'a local address, for -P and -Q'],
  ['    --drain', 'with -Q: take no new connections, keep existing ones; -P ends that'],
  ['    --stage', 'with --cookie-secret: accept its cookies, but do not make them yet'],
  ['-n, --numeric', 'numbers instead of names'],
  ['-c, --connection', 'with -L: connections'],
  ['    --timeout, --daemon', 'with -L: timeouts, synchronisation daemons'],
  ['    --stats, --rate', 'with -L: counters, counters per second'],
  ['    --thresholds, --persistent-conn', 'with -L: connection limits, persistent connections'],
  ['    --tun-info', 'with -L: tunnels'],
  ['-X, --exact', 'with -L: counters with all digits'],
  ['    --nosort', "with -L: in the kernel's order"],
  ['    --json', 'with -L and -G: as JSON, numeric and with all columns'],
  ['    --where KEY=VALUE', 'with -L and -G: only matching entries; service, dest, client, laddr, protocol, state'],
  ['    --watch[=SECONDS]', 'with -L and -G: repeat, every 2 seconds by default'],
  ['    --mcast-interface NAME', 'interface of the synchronisation daemon'],
  ['    --syncid N', 'its identity, 0 to 255'],
  ['    --sync-maxlen N', 'maximum bytes of a message'],
  ['    --mcast-group, --mcast-port, --mcast-ttl', 'where it sends'],
] as const;

export function helpText(program: string): string {
  const service = 'SERVICE [-s SCHEDULER] [-p [SECONDS]] [-M MASK] [--pe NAME] [-o] [-b FLAGS]';
  const server = 'SERVICE -r SERVER [-g|-i|-m|-b] [-w N] [-x N] [-y N]';
  const forms = [
    `-A|-E ${service}`,
    '-D SERVICE',
    '-C',
    `-a|-e ${server}`,
    '-d SERVICE -r SERVER',
    '-P|-Q SERVICE -z ADDRESS [--drain]',
    '-G [SERVICE]',
    '--secret FILE',
    '--cookie-secret FILE [--stage]',
    '-L [-n] [SERVICE | -c | --timeout | --daemon] [FORMAT]',
    '-Z [SERVICE]',
    '-S [-n]',
    '-R',
    'save --full | diff [--json] FILE | restore --atomic FILE',
    '--set TCP TCPFIN UDP',
    '--start-daemon|--stop-daemon master|backup [DAEMON OPTIONS]',
    '-h | -v',
  ];
  return `${versionLine(program)}
Usage:
${forms.map((form) => `  ${program} ${form}\n`).join('')}
Commands:
${rows(COMMANDS)}
Before the command:
${rows(GLOBALS)}
Options:
${rows(OPTIONS)}
SERVICE is one of -t, -u, --sctp-service, -f. Without arguments the table is listed.
Exit status: 0 success, 1 listing failed, 2 usage error, 5 feature missing in the kernel, 255 rejected.
`;
}
