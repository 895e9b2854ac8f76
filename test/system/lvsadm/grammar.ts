// SPDX-License-Identifier: MIT
// Command lines for both programs: every form of every option from tables, every option with every command, and random
// combinations. They are the same in every run, because their answers are recorded.

export interface Case {
  readonly words: readonly string[];
  /** Standard input. */
  readonly input?: string;
}

const COMMANDS = [
  ...['-A', '-E', '-D', '-C', '-L', '-l', '-Z', '-a', '-e', '-d', '-R', '-S'],
  ...['--add-service', '--edit-service', '--delete-service', '--clear', '--list', '--zero', '--add-server'],
  ...['--edit-server', '--delete-server', '--restore', '--save'],
  ...['--set', '--start-daemon master', '--start-daemon=backup', '--stop-daemon master', '--stop-daemon=backup'],
] as const;

const SERVICES = [
  ...['-t 192.0.2.1:80', '-t 192.0.2.1:443', '-u 192.0.2.1:53', '--sctp-service 192.0.2.100:36412', '-f 7', '-f 8 -6'],
  ...['-t [2001:db8::80]:80', '-t 192.0.2.1:0', '-t 192.0.2.9:80', '-u 192.0.2.9:99', '-f 99', '-t [2001:db8::9]:1'],
];

/** Each option once, with a valid argument. */
const OPTIONS = [
  ...['-s rr', '-p', '-p 300', '-M 255.255.255.0', '--pe sip', '-o', '-b flag-1', '-r 10.0.0.2:8080', '-g', '-i', '-m'],
  ...['-w 3', '-x 20', '-y 10', '--tun-type ipip', '--tun-type gre', '--tun-port 6080', '--tun-nocsum', '--tun-csum'],
  ...['--tun-remcsum', '-n', '-c', '--timeout', '--daemon', '--stats', '--rate', '--thresholds', '--persistent-conn'],
  ...['--nosort', '--sort', '-X', '--mcast-interface lo', '--syncid 3', '--sync-maxlen 900', '--mcast-group 224.0.0.9'],
  ...['--mcast-port 8849', '--mcast-ttl 3', '--tun-info', '-6', '-t 192.0.2.1:80', '-f 7'],
];

const HOSTS = [
  ...['192.0.2.1', '192.0.2.1:80', '192.0.2.1:', '192.0.2.1:0', '192.0.2.1:65535', '192.0.2.1:65536', '192.0.2.1:-1'],
  ...['192.0.2.1:+80', '192.0.2.1:080', '192.0.2.1:0x50', '192.0.2.1:80x', '192.0.2.1: 80', '192.0.2.1:http'],
  ...['192.0.2.1:domain', '192.0.2.1:nosuch', '192.0.2.256:80', '192.0.2:80', '192.514:80', '3221225985:80', ':80', ''],
  ...[
    '0300.0.2.1:80',
    '0xC0000201:80',
    '192.0.2.1.5:80',
    '1',
    '80',
    '0',
    '[2001:db8::80]:80',
    '[2001:db8::80]',
    '[]:80',
  ],
  ...[
    '2001:db8::80',
    '2001:db8::80:80',
    '[2001:db8::80]80',
    '[2001:db8::80:80',
    '[192.0.2.1]:80',
    '[x]:80',
    '::',
    '[::]:80',
  ],
  ...['[::1]:80', '0.0.0.0:80', '255.255.255.255:80', '127.0.0.1:80', '224.0.0.1:80', '[ff02::1]:80', '[fe80::1]:80'],
  ...[
    '::ffff:192.0.2.1',
    '[::ffff:192.0.2.1]:80',
    'localhost:80',
    'localhost',
    'no.such.host.invalid:80',
    '192.0.2.1 :80',
  ],
  ...[
    '192.0.2.1:80:81',
    '192.0.2.1:ftp',
    '[2001:db8::80]:http',
    '[2001:db8::80]:',
    '[2001:db8::80]:70000',
    '192.0.2.01:80',
  ],
];

const NUMBERS = [
  ...[
    '0',
    '1',
    '+1',
    '-1',
    ' 5',
    '5 ',
    '05',
    '010',
    '0x10',
    '1.5',
    '',
    'x',
    '1x',
    '255',
    '256',
    '65535',
    '65536',
    '-0',
  ],
  ...['65507', '65508', '2147483646', '2147483647', '2147483648', '4294967295', '4294967296', '9223372036854775807'],
  ...['9223372036854775808', '18446744073709551616', '2678400', '2678401', '128', '129', '1e3', '--', '-'],
];

const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh', 'sed', 'nq', 'fo', 'ovf', 'mh'];
const FLAGS = [
  ...['sh-fallback', 'sh-port', 'sh-fallback,sh-port', 'mh-fallback', 'mh-port', 'mh-port,mh-fallback', 'flag-1'],
  ...['flag-2', 'flag-3', 'flag-1,flag-2,flag-3', 'flag-4', '', ',', 'flag-1,', ',flag-1', 'flag-1,flag-1', 'SH-PORT'],
  ...['flag-1,foo', 'sh-port,mh-port', 'flag-', 'sh', ' flag-1'],
];
const MASKS = ['255.255.255.0', '255.255.255.255', '0.0.0.0', '255.0.255.0', '24', '64', '128', '0', 'x', '', '1.2.3'];
const WORDS = ['rr', 'nosuch', '', 'averyveryverylongname', 'RR', 'rr ', 'sip', 'none', 'a/b', 'é', '%s%n'];
const GROUPS = [
  ...['224.0.0.81', '239.255.255.255', '10.0.0.1', '240.0.0.1', 'ff02::5', 'ff05::1', '2001:db8::1', 'x', '', '224'],
  ...['[ff02::5]', '224.0.0', '0xe0000051'],
];

const words = (line: string): string[] => line.split(' ').filter((word) => word !== '');
const SERVER = '-a -t 192.0.2.1:80 -r 10.0.0.7:80';

/** Each value in one of the ways to give it, in turn: as the next word, after '=', or directly after a short option. */
function* forms(before: string, short: string, long: string, list: readonly string[]): Generator<Case> {
  for (const [index, value] of list.entries()) {
    const ways = [[long, value], [`${long}=${value}`], short === '' ? [long, value] : [`${short}${value}`]];
    yield { words: [...words(before), ...(ways[index % ways.length] ?? [])] };
  }
}

function* values(): Generator<Case> {
  for (const host of HOSTS) {
    for (const option of ['-t', '-u']) yield { words: ['-A', option, host] };
    yield { words: ['-A', '--sctp-service', host, '-p'] };
    for (const command of ['-D', '-Ln']) yield { words: [command, '-t', host] };
    for (const method of ['-m', '-i']) yield { words: [...words('-a -t 192.0.2.1:80 -r'), host, method] };
    yield { words: [...words('-a -t [2001:db8::80]:80 -m -r'), host] };
    yield { words: [...words('-a -f 7 -m -r'), host] };
    yield { words: ['-a', '-r', host, '-t', '192.0.2.1:80', '-m'] };
    yield { words: [...words('-d -t 192.0.2.1:80 -r'), host] };
  }
  yield* forms(SERVER, '-w', '--weight', NUMBERS);
  yield* forms(SERVER, '-x', '--u-threshold', NUMBERS);
  yield* forms(SERVER, '-y', '--l-threshold', NUMBERS);
  yield* forms(`${SERVER} -i --tun-type gue`, '', '--tun-port', NUMBERS);
  yield* forms('-A', '-f', '--fwmark-service', NUMBERS);
  yield* forms('-A -t 192.0.2.9:80', '-p', '--persistent', NUMBERS);
  yield* forms('-A -t [2001:db8::9]:80 -p', '-M', '--netmask', [...MASKS, ...NUMBERS]);
  yield* forms('-A -t 192.0.2.9:80 -p', '-M', '--netmask', MASKS);
  yield* forms('-A -t 192.0.2.9:80', '-s', '--scheduler', [...SCHEDULERS, ...WORDS]);
  yield* forms('-A -t 192.0.2.9:80 -p', '', '--pe', WORDS);
  for (const scheduler of ['sh', 'mh', 'rr'])
    yield* forms(`-A -t 192.0.2.9:80 -s ${scheduler}`, '-b', '--sched-flags', FLAGS);
  yield* forms('--start-daemon master --mcast-interface lo', '', '--syncid', NUMBERS);
  yield* forms('--start-daemon backup --mcast-interface lo', '', '--sync-maxlen', NUMBERS);
  yield* forms('--start-daemon backup --mcast-interface lo', '', '--mcast-port', NUMBERS);
  yield* forms('--start-daemon backup --mcast-interface lo', '', '--mcast-ttl', NUMBERS);
  yield* forms('--start-daemon backup --mcast-interface lo', '', '--mcast-group', GROUPS);
  yield* forms('--start-daemon backup', '', '--mcast-interface', WORDS);
  yield* forms(`${SERVER} -i`, '', '--tun-type', ['ipip', 'gue', 'gre', 'IPIP', '', 'x']);
  for (const at of [0, 1, 2])
    for (const number of NUMBERS)
      yield { words: ['--set', ...[10, 20, 30].map((value, index) => (index === at ? number : String(value)))] };
}

/** Every option with every command, and options that exclude each other. */
function* legality(): Generator<Case> {
  for (const command of COMMANDS) {
    yield { words: words(command) };
    for (const service of SERVICES) yield { words: words(`${command} ${service}`) };
    // The long name of a command has the same options as the short one, so some of them suffice.
    for (const [index, option] of OPTIONS.entries()) {
      if (command.startsWith('--') && !command.includes('daemon') && index % 9 !== 0) continue;
      yield { words: words(`${command} ${option}`) };
      if (/^-[ELZDaed]$/.test(command)) yield { words: words(`${command} -t 192.0.2.1:80 ${option}`) };
      if (/^-[aed]$/.test(command)) yield { words: words(`${command} -t 192.0.2.1:80 -r 10.0.0.1:80 ${option}`) };
      if (command === '-L')
        for (const other of OPTIONS.slice(21, 31).filter((_, at) => (at + index) % 2 === 0))
          yield { words: words(`-Ln ${option} ${other}`) };
    }
    for (const other of COMMANDS.slice(0, 12)) yield { words: words(`${command} ${other}`) };
  }
  for (const type of ['ipip', 'gue', 'gre'])
    for (const port of ['', '--tun-port 6080'])
      for (const sum of ['', '--tun-nocsum', '--tun-csum', '--tun-remcsum', '--tun-csum --tun-nocsum'])
        for (const method of ['-i', '-g', '-m', ''])
          yield { words: words(`${SERVER} ${method} --tun-type ${type} ${port} ${sum}`) };
}

const RULES = [
  ...['-A -t 192.0.2.77:80 -s rr', '-a -t 192.0.2.77:80 -r 10.0.0.1:80 -m', '-D -t 192.0.2.1:80', '-C', '# remark', ''],
  ...[
    'ipvsadm -A -u 192.0.2.77:53',
    '   -Z   ',
    '-A -t 192.0.2.1:80',
    '-w 1',
    '-A --nonsense',
    '-R',
    '-L -n -t 192.0.2.1:80',
  ],
  ...[
    '-a -t 192.0.2.1:80 -r 10.0.0.9 -x 5',
    '\t-A\t-f\t77',
    '-A -f 78 ipvsadm',
    'ipvsadm',
    'x',
    '-A -t "192.0.2.78:80"',
  ],
];

/** Marks that ipvsadm accepts and prints as negative numbers. */
const MARKS =
  '-A -f 4294967295 -s rr\n-A -f 2147483648 -6\n-L -n -f 4294967295\n-L -n --stats -f 2147483648 -6\n-A -f -1\n';

/** ipvsadm ignores its own name anywhere in a line. */
const OWN_NAME = [
  '-A -t 192.0.2.77:80 -s ipvsadm\n',
  '-A -t 192.0.2.77:80 -s ipvsadm rr\n',
  '-A -t 192.0.2.77:80 -s rr ipvsadm\n',
  'ipvsadm ipvsadm -A ipvsadm -f 79\n',
  '/sbin/ipvsadm -A -f 79\n',
  '-A -f 79 /sbin/ipvsadm\n',
  'ipvsadm x\n',
  'ipvsadm -A -f xipvsadm\n',
];

function* restores(random: () => number): Generator<Case> {
  for (const input of [MARKS, ...OWN_NAME]) yield { words: ['-R'], input };
  for (const rule of RULES) for (const end of ['', '\n', '\n\n']) yield { words: ['-R'], input: rule + end };
  for (let i = 0; i < 60; i++) {
    const lines = Array.from({ length: 1 + Math.floor(random() * 5) }, () => pick(RULES, random));
    yield { words: ['-R'], input: `${lines.join('\n')}\n` };
  }
}

function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)] as T;
}

/** Cases of the option parser: clusters, '=', '--', '-', words that are not options. */
const ODD = [
  ...[
    '-',
    '--',
    '-=',
    '--=',
    '--list=',
    '--list=x',
    '-Ln=',
    '-L=n',
    '-nL',
    '-Lnn',
    '-LnX',
    '-Lnc',
    '-LnZ',
    '-AD',
    '-h=',
    '-k',
    '-v',
    '-h',
    '--version',
    '--help',
    '-v -n',
    '-h x',
    '-v -t 1',
    '-hv',
    '-vL',
    '-L -v',
    '-C -h',
    '-v=3',
    '--help=1',
    '--version -k',
  ],
  ...[
    '--lis',
    '-L --',
    '-L -- -n',
    '-L x',
    '-L -n x y',
    'x -L',
    'x',
    '-L -',
    '-Ln -- --stats',
    '--numeric -L',
    '-n -L',
  ],
  ...[
    '-t',
    '-A -t',
    '-A -s',
    '-A -t 192.0.2.9:80 -p -s rr',
    '-A -t192.0.2.9:80 -prr',
    '-At=192.0.2.9:80',
    '-At192.0.2.9:80',
  ],
  ...[
    '-A -t 192.0.2.9:80 -p=',
    '-A -t 192.0.2.9:80 -p=9',
    '-A -t 192.0.2.9:80 -p 9 9',
    '-A -pt 192.0.2.9:80',
    '-Ln --stats=',
  ],
  ...[
    '--start-daemon',
    '--start-daemon x',
    '--stop-daemon',
    '--stop-daemon=',
    '--set',
    '--set 1',
    '--set 1 2',
    '--set 1 2 3 4',
  ],
  ...[
    '--set=1 2 3',
    '--set 1 2 3 -n',
    '--set -- 1 2 3',
    '--set 1 -n 2 3',
    '-Lnt 192.0.2.1:80',
    '-Lnf7',
    '-Lnf8 -6',
    '-Ln6f8',
  ],
  ...[
    '-ln',
    '-l',
    '--list --numeric',
    '-S',
    '-Sn',
    '--save -n',
    '-Cn',
    '-LnLn',
    '-A -6 -f 3',
    '-A -f 3 -6 -6',
    '-A -6f 3',
  ],
  ...[
    '-L -n -t 192.0.2.1:443 --nosort',
    '-Ln -t 192.0.2.1:443 --stats -X',
    '-Ln -f 7 --rate',
    '-L --timeout -n',
    '-L --daemon -n',
  ],
  ...[
    '-Ln -t 192.0.2.1:443 --tun-info',
    '-Ln --tun-info --stats',
    '-LnX --rate',
    '-Lnc --persistent-conn',
    '-L -c',
    '-Lc -n',
  ],
];

function* combinations(count: number, random: () => number): Generator<Case> {
  const servers = ['-r 10.0.0.1:80', '-r 10.0.0.2:8080', '-r 10.0.0.50', '-r [2001:db8::2]:80', '-r 10.0.0.51:81'];
  for (let i = 0; i < count; i++) {
    const command = pick(COMMANDS, random);
    const parts: string[] = [command];
    if (random() < 0.8) parts.push(pick(SERVICES, random));
    if (random() < (/-(a|e|d|add-server|edit-server|delete-server)$/.test(command) ? 0.85 : 0.05))
      parts.push(pick(servers, random));
    for (let extra = Math.floor(random() * 4); extra > 0; extra--) parts.push(pick(OPTIONS, random));
    if (random() < 0.2) parts.push(...parts.splice(1, 1));
    if (random() < 0.05) parts.push(pick(ODD, random));
    yield { words: words(parts.join(' ')) };
  }
}

/** mulberry32: the same pseudo-random numbers on every machine. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A case as one string, its key in the record. */
export const caseText = ({ words: list, input }: Case): string =>
  JSON.stringify(input === undefined ? list : [...list, { input }]);

/** Adds -n to listings, since names depend on the machine. (ipvsadm.test.ts compares a listing with names.) */
function numeric(one: Case): Case {
  const [first = ''] = one.words;
  const lists = /^(-[LlS]$|--list$|--save$)/.test(first) && !one.words.some((word) => /^(-n|--numeric)/.test(word));
  return lists ? { ...one, words: [...one.words, '-n'] } : one;
}

/** False for cases that cannot be recorded: the kernel's order of services differs between namespaces. */
function comparable({ words: list, input }: Case): boolean {
  const first = list[0] ?? '';
  const lists = /^(-[Ll]|--list)/.test(first);
  if (lists && list.includes('--nosort') && !list.some((word) => /^-(t|u|f)$/.test(word))) return false;
  return input === undefined || input.length < 1 << 16;
}

export function allCases(): Case[] {
  const random = seeded(20260101);
  const all = new Map<string, Case>();
  const add = (made: Case) => {
    const one = numeric(made);
    if (comparable(one) && one.words.length > 0) all.set(caseText(one), one);
  };
  for (const line of ODD) add({ words: words(line) });
  for (const make of [values(), legality(), restores(random), combinations(500, random)])
    for (const one of make) add(one);
  return [...all.values()];
}
