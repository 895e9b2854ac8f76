// SPDX-License-Identifier: MIT
/** From the words of a command line to an Invocation: one entry an option, then the rules that span options. */
import { AF_INET, AF_INET6, parseAddress, parseIpv4, parseIpv6 } from '../base/addresses.ts';
import {
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_STATE_BACKUP,
  IP_VS_STATE_MASTER,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_TUNNEL_ENCAP_FLAG_CSUM,
  IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
} from '../ipvs/index.ts';
import { Filters } from './filters/index.ts';
import { DEFAULT_MCAST_INTERFACE, DEFAULT_SCHEDULER, type Invocation, newInvocation } from './invocation.ts';
import { checkOptions, checkTunnelOptions } from './legality.ts';
import type { Lookup } from './lookup.ts';
import { type AdmOption, type OptionName, optionsFor } from './options.ts';
import { Rejected, tryHelp, usage } from './outcome.ts';
import { POPT_ERRORS, Popt } from './popt.ts';
import { parseSchedulerFlags } from './schedulers.ts';
import { parseEndpoint, parseNetmask, parseNumber } from './values.ts';

const INT_MAX = 0x7fffffff;
const UINT32_MAX = 0xffffffff;
/** Names in the kernel's structures: 16 bytes, their NUL included. */
const NAME_MAX = 15;
const DEFAULT_PERSISTENCE = 360;
const TIMEOUT_MAX = 31 * 24 * 3600;
/** Seconds between listings, if nobody says. */
const DEFAULT_WATCH = 2;

type Apply = (line: Invocation, argument: string, lookup: Lookup) => void;

/** What each option does, by its long name. Options that only have to be there are not listed. */
const APPLY: Readonly<Record<string, Apply>> = {
  'tcp-service': (line, argument, lookup) => setService(line, IPPROTO_TCP, argument, lookup),
  'udp-service': (line, argument, lookup) => setService(line, IPPROTO_UDP, argument, lookup),
  'sctp-service': (line, argument, lookup) => setService(line, IPPROTO_SCTP, argument, lookup),
  'fwmark-service': ({ service }, argument) => {
    service.family = AF_INET;
    service.protocol = IPPROTO_TCP;
    service.fwmark = number(argument, 1, UINT32_MAX, `invalid fwmark value \`${argument}' specified`);
  },
  ipv6: ({ service }) => {
    if (!service.fwmark) throw usage('-6 used before -f\n');
    service.family = AF_INET6;
    service.netmask = 128;
  },
  scheduler: ({ service }, argument) => {
    service.scheduler = argument.slice(0, NAME_MAX);
  },
  persistent: ({ service }, argument) => {
    service.flags |= IP_VS_SVC_F_PERSISTENT;
    service.timeout = argument === NO_ARGUMENT ? DEFAULT_PERSISTENCE : timeout(argument, 1);
  },
  netmask: ({ service }, argument, lookup) => {
    if (service.family === AF_INET6) {
      service.netmask = number(/^\s*[+-]?\d*/.exec(argument)?.[0] ?? '', 1, 128, 'illegal ipv6 netmask specified');
      return;
    }
    const mask = parseNetmask(argument, lookup);
    if (mask === undefined) throw usage('illegal virtual server persistent mask specified');
    service.netmask = mask;
  },
  pe: ({ service }, argument) => {
    service.peName = argument.slice(0, NAME_MAX);
  },
  ops: ({ service }) => {
    service.flags |= IP_VS_SVC_F_ONEPACKET;
  },
  'sched-flags': (line, argument) => {
    line.schedulerFlags = argument;
  },
  'real-server': ({ service, destination }, argument, lookup) => {
    const endpoint = parseEndpoint(argument, service.protocol, lookup);
    if (!endpoint) throw usage('illegal real server address[:port] specified');
    destination.family = endpoint.family;
    destination.address = endpoint.address;
    // From the service only if that came first; the order of the words counts.
    destination.port = endpoint.port ?? service.port;
  },
  gatewaying: ({ destination }) => {
    destination.method = IP_VS_CONN_F_DROUTE;
  },
  ipip: ({ destination }) => {
    destination.method = IP_VS_CONN_F_TUNNEL;
  },
  masquerading: ({ destination }) => {
    destination.method = IP_VS_CONN_F_MASQ;
  },
  fullnat: ({ destination }) => {
    destination.method = IP_VS_CONN_F_FULLNAT;
  },
  weight: ({ destination }, argument) => {
    destination.weight = number(argument, 0, INT_MAX, 'illegal weight specified');
  },
  'u-threshold': ({ destination }, argument) => {
    destination.upperThreshold = number(argument, 0, INT_MAX, 'illegal u_threshold specified');
  },
  'l-threshold': ({ destination }, argument) => {
    destination.lowerThreshold = number(argument, 0, INT_MAX, 'illegal l_threshold specified');
  },
  'tun-type': ({ destination }, argument) => {
    const type = ['ipip', 'gue', 'gre'].indexOf(argument);
    if (type < 0) throw usage('illegal tunnel type specified');
    destination.tunnelType = type;
  },
  'tun-port': ({ destination }, argument) => {
    destination.tunnelPort = number(argument, 1, 65535, 'illegal tunnel port specified');
  },
  'tun-csum': ({ destination }) => {
    destination.tunnelFlags |= IP_VS_TUNNEL_ENCAP_FLAG_CSUM;
  },
  'tun-remcsum': ({ destination }) => {
    destination.tunnelFlags |= IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM;
  },
  'mcast-interface': ({ daemon }, argument) => {
    daemon.interface = argument.slice(0, NAME_MAX);
  },
  syncid: ({ daemon }, argument) => {
    daemon.syncId = number(argument, 0, 255, 'illegal syncid specified');
  },
  'sync-maxlen': ({ daemon }, argument) => {
    daemon.maxLength = number(argument, 1, 65507, 'illegal sync-maxlen specified');
  },
  'mcast-group': ({ daemon }, argument) => {
    daemon.group = multicastGroup(argument);
  },
  'mcast-port': ({ daemon }, argument) => {
    daemon.port = number(argument, 1, 65535, 'illegal mcast-port specified');
  },
  'mcast-ttl': ({ daemon }, argument) => {
    daemon.ttl = number(argument, 1, 255, 'illegal mcast-ttl specified');
  },
  laddr: (line, argument) => {
    line.localAddress = parseAddress(argument)?.bytes;
    if (!line.localAddress) throw usage('illegal local address specified');
  },
  'local-ports': ({ service }, argument) => {
    const [, min, max] = /^(\d{1,5})-(\d{1,5})$/.exec(argument) ?? [];
    if (!min || !max || Number(min) === 0 || Number(max) > 65535 || Number(min) > Number(max))
      throw usage(`\`${argument}' after --local-ports: write MIN-MAX`);
    service.portMin = Number(min);
    service.portMax = Number(max);
  },
  where: (line, argument) => {
    line.filters ??= new Filters();
    line.filters.add(argument);
  },
  watch: (line, argument) => {
    line.watch = argument === NO_ARGUMENT ? DEFAULT_WATCH : Number(argument);
    if (!/^\d{1,5}(\.\d+)?$/.test(argument) && argument !== NO_ARGUMENT) line.watch = 0;
    if (line.watch < 0.1) throw usage(`\`${argument}' after --watch: seconds between listings, 0.1 or more`);
  },
};

/** Stands for an optional argument that is not there; no word of a command line has a NUL in it. */
const NO_ARGUMENT = '\0';

/**
 * Understands the words after the program's name. Throws Fatal, Rejected, and HostNeeded when a name must be
 * looked up first.
 */
export function parse(words: readonly string[], lookup: Lookup, program: string): Invocation {
  const popt = new Popt<AdmOption>(words, optionsFor(undefined));
  const first = popt.next();
  if (first?.kind !== 'option' || !first.option.command) throw tryHelp(program);
  const command = first.option.command;
  popt.options = optionsFor(command);
  const line = newInvocation(command);
  if (command === 'help' || command === 'version') return line;
  if (command === 'start-daemon' || command === 'stop-daemon') line.daemon.state = daemonState(command, first.argument);
  if (command === 'secret') line.secretFile = first.argument;

  for (let event = popt.next(); event; event = popt.next()) {
    if (event.kind === 'error') throw new Rejected(`${event.word}: ${POPT_ERRORS[event.error]}`);
    const { option, argument } = event;
    if (option.command) throw usage(`invalid option \`${popt.word}'`);
    if (option.counts && !(option.repeats && line.options.has(option.counts))) addOnce(line.options, option.counts);
    APPLY[option.long]?.(line, argument ?? NO_ARGUMENT, lookup);
  }
  if (command === 'set') readTimeouts(line, popt);
  const unexpected = popt.leftover();
  if (unexpected !== undefined) throw usage(`unexpected argument ${unexpected}`);
  if (line.schedulerFlags !== undefined)
    line.service.flags |= parseSchedulerFlags(line.schedulerFlags, line.service.scheduler);

  checkOptions(command, line.options);
  checkAcross(line);
  return line;
}

function addOnce(options: Set<OptionName>, name: OptionName): void {
  if (options.has(name)) throw usage(`multiple '${name}' options specified`);
  options.add(name);
}

function setService({ service }: Invocation, protocol: number, argument: string, lookup: Lookup): void {
  service.protocol = protocol;
  const endpoint = parseEndpoint(argument, protocol, lookup);
  if (!endpoint) throw usage('illegal virtual server address[:port] specified');
  service.family = endpoint.family;
  service.address = endpoint.address;
  service.port = endpoint.port ?? 0;
  if (endpoint.family === AF_INET6) service.netmask = 128;
}

function daemonState(command: 'start-daemon' | 'stop-daemon', argument: string | undefined): number {
  if (argument === 'master') return IP_VS_STATE_MASTER;
  if (argument === 'backup') return IP_VS_STATE_BACKUP;
  throw usage(`illegal ${command === 'start-daemon' ? 'start-daemon parameter' : 'start_daemon'} specified`);
}

function readTimeouts(line: Invocation, popt: Popt<AdmOption>): void {
  const [tcp, tcpFin, udp] = [popt.leftover(), popt.leftover(), popt.leftover()];
  if (tcp === undefined || tcpFin === undefined || udp === undefined)
    throw usage('--set option requires 3 timeout values');
  line.timeouts = { tcp: timeout(tcp, 0), tcpFin: timeout(tcpFin, 0), udp: timeout(udp, 0) };
}

/** What concerns more than one option. */
function checkAcross({ command, options, service, destination, daemon, localAddress, filters }: Invocation): void {
  switch (command) {
    case 'add-service':
    case 'edit-service':
      if (!service.fwmark && !service.port && !(service.flags & IP_VS_SVC_F_PERSISTENT))
        throw usage('Zero port specified for non-persistent service');
      if (service.flags & IP_VS_SVC_F_ONEPACKET && !service.fwmark && service.protocol !== IPPROTO_UDP)
        throw usage('One-Packet Scheduling is only for UDP virtual services');
      service.scheduler ||= DEFAULT_SCHEDULER;
      break;
    case 'start-daemon':
      daemon.interface ||= DEFAULT_MCAST_INTERFACE;
      break;
    case 'add-server':
    case 'edit-server':
      // Only what rewrites the destination can change its port.
      if (!service.fwmark && [IP_VS_CONN_F_TUNNEL, IP_VS_CONN_F_DROUTE].includes(destination.method))
        destination.port = service.port;
      if (destination.family !== service.family && destination.method !== IP_VS_CONN_F_TUNNEL)
        throw usage('Different address family is allowed only for tunneling servers');
      if (destination.method === IP_VS_CONN_F_TUNNEL) checkTunnelOptions(destination.tunnelType, options);
      else if ([...options].some((name) => name.startsWith('tun-')))
        throw usage('Tunnel options conflict with forward method');
      break;
    case 'list':
      if (
        ['connection', 'timeout', 'daemon'].some((name) => options.has(name as OptionName)) &&
        ['stats', 'rate', 'thresholds'].some((name) => options.has(name as OptionName))
      )
        throw usage('options conflicts in the list command');
      if (options.has('persistent-conn') && (options.has('timeout') || options.has('daemon')))
        throw usage('options conflicts in the list command');
      if (filters) checkFilters(filters, options);
      break;
    case 'get-laddr':
      if (filters?.has('dest')) throw usage('--where dest=...: local addresses belong to services');
      if (filters) checkFilters(filters, options);
      break;
    case 'add-laddr':
    case 'del-laddr':
      if (localAddress?.length !== (service.family === AF_INET ? 4 : 16))
        throw usage('the local address must be of the same family as the service');
      break;
    default:
  }
}

/** A filter that nothing in the listing could match is a mistake. */
function checkFilters(filters: Filters, options: ReadonlySet<OptionName>): void {
  const where = (key: string, problem: string) => usage(`--where ${key}=...: ${problem}`);
  if (options.has('timeout') || options.has('daemon')) throw usage('--where is for services and connections');
  for (const key of ['client', 'state'] as const)
    if (filters.has(key) && !options.has('connection')) throw where(key, 'only with --list --connection');
  if (filters.has('laddr') && options.has('connection'))
    throw where('laddr', 'the kernel does not tell the local addresses of connections');
}

function number(text: string, min: number, max: number, complaint: string): number {
  const value = parseNumber(text, min, max);
  if (value === undefined) throw usage(complaint);
  return value;
}

function timeout(text: string, min: number): number {
  return number(text, min, TIMEOUT_MAX, `invalid timeout value \`${text}' specified`);
}

/** As strict as inet_pton(3), unlike addresses of services. */
function multicastGroup(text: string): Uint8Array {
  if (text.includes(':')) {
    const ipv6 = parseIpv6(text);
    if (ipv6?.[0] !== 0xff) throw usage(`invalid IPv6 mcast-group \`${text}'`);
    return ipv6;
  }
  const ipv4 = parseIpv4(text);
  if (((ipv4?.[0] ?? 0) & 0xf0) !== 0xe0 || !ipv4) throw usage(`invalid IPv4 mcast-group \`${text}'`);
  return ipv4;
}
