// SPDX-License-Identifier: MIT
/** What each option of a command line does. */
import { AF_INET, AF_INET6, parseAddress, parseIpv4, parseIpv6 } from '../base/addresses.ts';
import {
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_TUNNEL_ENCAP_FLAG_CSUM,
  IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type ServiceConfig,
} from '../ipvs/index.ts';
import { Filters } from './filters/index.ts';
import type { Invocation } from './invocation.ts';
import type { Lookup } from './lookup.ts';
import { usage } from './outcome.ts';
import { parseEndpoint, parseNetmask, parseNumber } from './values.ts';

const INT_MAX = 0x7fffffff;
const UINT32_MAX = 0xffffffff;
/** Names in the kernel's structures: 16 bytes, their NUL included. */
const NAME_MAX = 15;
const DEFAULT_PERSISTENCE = 360;
const TIMEOUT_MAX = 31 * 24 * 3600;
/** Seconds between listings, if nobody says. */
const DEFAULT_WATCH = 2;

/** Stands for an optional argument that is not there; no word of a command line has a NUL in it. */
const NO_ARGUMENT = '\0';

/**
 * Carries one option over into `line`, by its long name; those that only have to be there do nothing. Not a table of
 * functions: making that would take longer than the rest of a command line. Throws as `parse` does.
 */
export function applyOption(name: string, line: Invocation, given: string | undefined, lookup: Lookup): void {
  const argument = given ?? NO_ARGUMENT;
  const { service, destination, daemon } = line;
  switch (name) {
    case 'tcp-service':
      setService(line, IPPROTO_TCP, argument, lookup);
      break;
    case 'udp-service':
      setService(line, IPPROTO_UDP, argument, lookup);
      break;
    case 'sctp-service':
      setService(line, IPPROTO_SCTP, argument, lookup);
      break;
    case 'fwmark-service':
      service.family = AF_INET;
      service.protocol = IPPROTO_TCP;
      service.fwmark = number(argument, 1, UINT32_MAX, `invalid fwmark value \`${argument}' specified`);
      break;
    case 'ipv6':
      if (!service.fwmark) throw usage('-6 used before -f\n');
      service.family = AF_INET6;
      service.netmask = 128;
      break;
    case 'scheduler':
      service.scheduler = argument.slice(0, NAME_MAX);
      break;
    case 'persistent':
      service.flags |= IP_VS_SVC_F_PERSISTENT;
      service.timeout = argument === NO_ARGUMENT ? DEFAULT_PERSISTENCE : timeout(argument, 1);
      break;
    case 'netmask':
      setNetmask(service, argument, lookup);
      break;
    case 'pe':
      service.peName = argument.slice(0, NAME_MAX);
      break;
    case 'ops':
      service.flags |= IP_VS_SVC_F_ONEPACKET;
      break;
    case 'sched-flags':
      line.schedulerFlags = argument;
      break;
    case 'real-server':
      setRealServer(line, argument, lookup);
      break;
    case 'gatewaying':
      destination.method = IP_VS_CONN_F_DROUTE;
      break;
    case 'ipip':
      destination.method = IP_VS_CONN_F_TUNNEL;
      break;
    case 'masquerading':
      destination.method = IP_VS_CONN_F_MASQ;
      break;
    case 'fullnat':
      destination.method = IP_VS_CONN_F_FULLNAT;
      break;
    case 'weight':
      destination.weight = number(argument, 0, INT_MAX, 'illegal weight specified');
      break;
    case 'u-threshold':
      destination.upperThreshold = number(argument, 0, INT_MAX, 'illegal u_threshold specified');
      break;
    case 'l-threshold':
      destination.lowerThreshold = number(argument, 0, INT_MAX, 'illegal l_threshold specified');
      break;
    case 'tun-type':
      destination.tunnelType = tunnelType(argument);
      break;
    case 'tun-port':
      destination.tunnelPort = number(argument, 1, 65535, 'illegal tunnel port specified');
      break;
    case 'tun-csum':
      destination.tunnelFlags |= IP_VS_TUNNEL_ENCAP_FLAG_CSUM;
      break;
    case 'tun-remcsum':
      destination.tunnelFlags |= IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM;
      break;
    case 'mcast-interface':
      daemon.interface = argument.slice(0, NAME_MAX);
      break;
    case 'syncid':
      daemon.syncId = number(argument, 0, 255, 'illegal syncid specified');
      break;
    case 'sync-maxlen':
      daemon.maxLength = number(argument, 1, 65507, 'illegal sync-maxlen specified');
      break;
    case 'mcast-group':
      daemon.group = multicastGroup(argument);
      break;
    case 'mcast-port':
      daemon.port = number(argument, 1, 65535, 'illegal mcast-port specified');
      break;
    case 'mcast-ttl':
      daemon.ttl = number(argument, 1, 255, 'illegal mcast-ttl specified');
      break;
    case 'laddr':
      line.localAddress = parseAddress(argument)?.bytes;
      if (!line.localAddress) throw usage('illegal local address specified');
      break;
    case 'local-ports':
      setLocalPorts(service, argument);
      break;
    case 'where':
      line.filters ??= new Filters();
      line.filters.add(argument);
      break;
    case 'watch':
      line.watch = watchSeconds(argument);
      break;
    default:
  }
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

function setNetmask(service: ServiceConfig, argument: string, lookup: Lookup): void {
  if (service.family === AF_INET6) {
    service.netmask = number(/^\s*[+-]?\d*/.exec(argument)?.[0] ?? '', 1, 128, 'illegal ipv6 netmask specified');
    return;
  }
  const mask = parseNetmask(argument, lookup);
  if (mask === undefined) throw usage('illegal virtual server persistent mask specified');
  service.netmask = mask;
}

function setRealServer({ service, destination }: Invocation, argument: string, lookup: Lookup): void {
  const endpoint = parseEndpoint(argument, service.protocol, lookup);
  if (!endpoint) throw usage('illegal real server address[:port] specified');
  destination.family = endpoint.family;
  destination.address = endpoint.address;
  // From the service only if that came first; the order of the words counts.
  destination.port = endpoint.port ?? service.port;
}

function tunnelType(argument: string): number {
  const type = ['ipip', 'gue', 'gre'].indexOf(argument);
  if (type < 0) throw usage('illegal tunnel type specified');
  return type;
}

function setLocalPorts(service: ServiceConfig, argument: string): void {
  const [, min, max] = /^(\d{1,5})-(\d{1,5})$/.exec(argument) ?? [];
  if (!min || !max || Number(min) === 0 || Number(max) > 65535 || Number(min) > Number(max))
    throw usage(`\`${argument}' after --local-ports: write MIN-MAX`);
  service.portMin = Number(min);
  service.portMax = Number(max);
}

function watchSeconds(argument: string): number {
  if (argument === NO_ARGUMENT) return DEFAULT_WATCH;
  const seconds = /^\d{1,5}(\.\d+)?$/.test(argument) ? Number(argument) : 0;
  if (seconds < 0.1) throw usage(`\`${argument}' after --watch: seconds between listings, 0.1 or more`);
  return seconds;
}

function number(text: string, min: number, max: number, complaint: string): number {
  const value = parseNumber(text, min, max);
  if (value === undefined) throw usage(complaint);
  return value;
}

export function timeout(text: string, min: number): number {
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
