// SPDX-License-Identifier: MIT
/** The effect of each option on the invocation. */
import { AF_INET, AF_INET6, parseAddress, parseIpv4, parseIpv6 } from '../../base/addresses.ts';
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
  TUNNELS,
} from '../../ipvs/index.ts';
import { usage } from '../errors.ts';
import type { Lookup } from '../lookup.ts';
import { parseDefence } from './defence-option.ts';
import { Filters } from './filters.ts';
import type { Invocation } from './invocation.ts';
import { parseSynProxyOptions } from './synproxy-options.ts';
import { parseEndpoint, parseNetmask, parseNumber } from './values.ts';

const INT_MAX = 0x7fffffff;
const UINT32_MAX = 0xffffffff;
/** Names in the kernel's structures have 16 bytes, including their NUL. */
const NAME_MAX = 15;
const DEFAULT_PERSISTENCE = 360;
const TIMEOUT_MAX = 31 * 24 * 3600;
/** Seconds between listings. */
const DEFAULT_WATCH = 2;

/** Stands for a missing optional argument; no word of a command line contains a NUL. */
const NO_ARGUMENT = '\0';

type Handler = (line: Invocation, argument: string, lookup: Lookup) => void;

/** By the long name of the option. Options without an entry are only recorded as given. */
const HANDLERS: Readonly<Record<string, Handler>> = {
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
  netmask: ({ service }, argument, lookup) => setNetmask(service, argument, lookup),
  pe: ({ service }, argument) => {
    service.peName = argument.slice(0, NAME_MAX);
  },
  ops: ({ service }) => {
    service.flags |= IP_VS_SVC_F_ONEPACKET;
  },
  'sched-flags': (line, argument) => {
    line.schedulerFlags = argument;
  },
  'local-ports': ({ service }, argument) => setLocalPorts(service, argument),
  synproxy: ({ service }, argument) => {
    if (argument !== 'enable' && argument !== 'disable') throw usage('synproxy switch must be enable or disable');
    service.synProxy = { ...service.synProxy, enabled: argument === 'enable' };
  },
  'synproxy-opts': ({ service }, argument) => {
    service.synProxy = { enabled: false, ...service.synProxy, ...parseSynProxyOptions(argument) };
  },
  defence: ({ service }, argument) => {
    service.defence = parseDefence(argument);
  },
  'real-server': setRealServer,
  gatewaying: setMethod(IP_VS_CONN_F_DROUTE),
  ipip: setMethod(IP_VS_CONN_F_TUNNEL),
  masquerading: setMethod(IP_VS_CONN_F_MASQ),
  fullnat: setMethod(IP_VS_CONN_F_FULLNAT),
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
    const type = TUNNELS.find(({ name }) => name === argument);
    if (!type) throw usage('illegal tunnel type specified');
    destination.tunnelType = type.number;
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
  where: (line, argument) => {
    line.filters ??= new Filters();
    line.filters.add(argument);
  },
  watch: (line, argument) => {
    line.watch = watchSeconds(argument);
  },
};

/** Applies one option, by its long name, to `line`. Throws as `parse` does. */
export function applyOption(name: string, line: Invocation, argument: string | undefined, lookup: Lookup): void {
  HANDLERS[name]?.(line, argument ?? NO_ARGUMENT, lookup);
}

function setMethod(method: number): Handler {
  return ({ destination }) => {
    destination.method = method;
  };
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
  // The order of the options matters: the service's port is known only if it came first.
  destination.port = endpoint.port ?? service.port;
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

function number(text: string, min: number, max: number, message: string): number {
  const value = parseNumber(text, min, max);
  if (value === undefined) throw usage(message);
  return value;
}

export function timeout(text: string, min: number): number {
  return number(text, min, TIMEOUT_MAX, `invalid timeout value \`${text}' specified`);
}

/** Parses as strictly as inet_pton(3), unlike addresses of services. */
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
