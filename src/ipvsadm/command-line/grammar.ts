// SPDX-License-Identifier: MIT
/** Parses the words of a command line into an Invocation: option by option, then the rules that span options. */
import { AF_INET } from '../../base/addresses.ts';
import {
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_STATE_BACKUP,
  IP_VS_STATE_MASTER,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IPPROTO_UDP,
} from '../../ipvs/index.ts';
import { Rejected, tryHelp, usage } from '../errors.ts';
import type { Lookup } from '../lookup.ts';
import type { Filters } from './filters.ts';
import { DEFAULT_MCAST_INTERFACE, DEFAULT_SCHEDULER, type Invocation, newInvocation } from './invocation.ts';
import { applyOption, timeout } from './option-handlers.ts';
import { checkOptions, checkTunnelOptions } from './option-rules.ts';
import { type AdmOption, type OptionName, optionsFor } from './options.ts';
import { POPT_ERRORS, Popt } from './popt.ts';
import { parseSchedulerFlags } from './scheduler-flags.ts';

/**
 * Parses the words after the name of the program. Throws Fatal, Rejected, and HostNeeded if a host must be looked up.
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
  if (command === 'secret' || command === 'cookie-secret') line.secretFile = first.argument;

  for (let event = popt.next(); event; event = popt.next()) {
    if (event.kind === 'error') throw new Rejected(`${event.word}: ${POPT_ERRORS[event.error]}`);
    const { option, argument } = event;
    if (option.command) throw usage(`invalid option \`${popt.word}'`);
    if (option.counts && !(option.repeats && line.options.has(option.counts))) addOnce(line.options, option.counts);
    applyOption(option.long, line, argument, lookup);
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

/** Checks that involve more than one option, and defaults. */
function checkAcross({ command, options, service, destination, daemon, localAddress, filters }: Invocation): void {
  switch (command) {
    case 'add-service':
    case 'edit-service':
      if (!service.fwmark && !service.port && !(service.flags & IP_VS_SVC_F_PERSISTENT))
        throw usage('Zero port specified for non-persistent service');
      if (service.flags & IP_VS_SVC_F_ONEPACKET && !service.fwmark && service.protocol !== IPPROTO_UDP)
        throw usage('One-Packet Scheduling is only for UDP virtual services');
      if (options.has('synproxy-opts') && !service.synProxy?.enabled)
        throw usage('--synproxy-opts is only for -j enable');
      service.scheduler ||= DEFAULT_SCHEDULER;
      break;
    case 'start-daemon':
      daemon.interface ||= DEFAULT_MCAST_INTERFACE;
      break;
    case 'add-server':
    case 'edit-server':
      // Only NAT and FULLNAT can change the port.
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

/** Rejects filters that nothing in the listing could match. */
function checkFilters(filters: Filters, options: ReadonlySet<OptionName>): void {
  const where = (key: string, problem: string) => usage(`--where ${key}=...: ${problem}`);
  if (options.has('timeout') || options.has('daemon')) throw usage('--where is for services and connections');
  for (const key of ['client', 'state'] as const)
    if (filters.has(key) && !options.has('connection')) throw where(key, 'only with --list --connection');
  if (filters.has('laddr') && options.has('connection'))
    throw where('laddr', 'the kernel does not list the local addresses of connections');
}
