// SPDX-License-Identifier: MIT
/** All commands and options: how each is written, and its name in the option rules and in messages. */
import type { PoptOption } from './popt.ts';

/** Commands, by their names in messages. */
export const COMMANDS = [
  'add-service',
  'edit-service',
  'delete-service',
  'flush',
  'list',
  'zero',
  'add-server',
  'edit-server',
  'delete-server',
  'set',
  'restore',
  'save',
  'start-daemon',
  'stop-daemon',
  'add-laddr',
  'del-laddr',
  'get-laddr',
  'secret',
  'cookie-secret',
] as const;
export type CommandName = (typeof COMMANDS)[number];

/** Options, by their names in messages, in the order in which the rules check them. */
export const OPTION_NAMES = [
  'numeric',
  'connection',
  'service-address',
  'scheduler',
  'persistent',
  'netmask',
  'real-server',
  'forwarding-method',
  'weight',
  'u-threshold',
  'l-threshold',
  'mcast-interface',
  'timeout',
  'daemon',
  'stats',
  'rate',
  'thresholds',
  'persistent-conn',
  'nosort',
  'syncid',
  'exact',
  'ops',
  'pe',
  'sched-flags',
  'mcast-group',
  'mcast-port',
  'mcast-ttl',
  'sync-maxlen',
  'tun-info',
  'tun-type',
  'tun-port',
  'tun-nocsum',
  'tun-csum',
  'tun-remcsum',
  'laddr',
  'drain',
  'json',
  'where',
  'watch',
  'local-ports',
  'synproxy',
  'synproxy-opts',
  'defence',
  'stage',
] as const;
export type OptionName = (typeof OPTION_NAMES)[number];

export interface AdmOption extends PoptOption {
  readonly command: CommandName | 'help' | 'version' | undefined;
  /** The name in the option rules; undefined if no rule is about the option. */
  readonly counts: OptionName | undefined;
  /** May be given more than once. */
  readonly repeats: true | undefined;
}

/** Commands that take an argument. */
const WITH_ARGUMENT: ReadonlySet<string> = new Set(['start-daemon', 'stop-daemon', 'secret', 'cookie-secret']);

const command = (short: string, long: string, name: AdmOption['command'] & string): AdmOption => {
  const argument = WITH_ARGUMENT.has(name) ? 'required' : 'none';
  return { long, short, argument, command: name, counts: undefined, repeats: undefined };
};

const option = (
  short: string,
  long: string,
  argument: AdmOption['argument'],
  counts?: OptionName,
  repeats?: true,
): AdmOption => ({ long, short, argument, command: undefined, counts, repeats });

const flag = (short: string, long: string, counts?: OptionName) => option(short, long, 'none', counts);

const valued = (short: string, long: string, counts: OptionName) => option(short, long, 'required', counts);

const COMMON: readonly AdmOption[] = [
  command('A', 'add-service', 'add-service'),
  command('E', 'edit-service', 'edit-service'),
  command('D', 'delete-service', 'delete-service'),
  command('C', 'clear', 'flush'),
  command('L', 'list', 'list'),
  command('l', 'list', 'list'),
  command('Z', 'zero', 'zero'),
  command('a', 'add-server', 'add-server'),
  command('e', 'edit-server', 'edit-server'),
  command('d', 'delete-server', 'delete-server'),
  command('', 'set', 'set'),
  command('h', 'help', 'help'),
  command('v', 'version', 'version'),
  command('R', 'restore', 'restore'),
  command('S', 'save', 'save'),
  command('', 'start-daemon', 'start-daemon'),
  command('', 'stop-daemon', 'stop-daemon'),
  command('P', 'add-laddr', 'add-laddr'),
  command('Q', 'del-laddr', 'del-laddr'),
  command('G', 'get-laddr', 'get-laddr'),
  command('', 'secret', 'secret'),
  command('', 'cookie-secret', 'cookie-secret'),
  valued('t', 'tcp-service', 'service-address'),
  valued('u', 'udp-service', 'service-address'),
  valued('', 'sctp-service', 'service-address'),
  valued('f', 'fwmark-service', 'service-address'),
  flag('6', 'ipv6'),
  valued('s', 'scheduler', 'scheduler'),
  option('p', 'persistent', 'optional', 'persistent'),
  valued('M', 'netmask', 'netmask'),
  valued('', 'pe', 'pe'),
  flag('o', 'ops', 'ops'),
  valued('r', 'real-server', 'real-server'),
  flag('g', 'gatewaying', 'forwarding-method'),
  flag('i', 'ipip', 'forwarding-method'),
  flag('m', 'masquerading', 'forwarding-method'),
  valued('w', 'weight', 'weight'),
  valued('x', 'u-threshold', 'u-threshold'),
  valued('y', 'l-threshold', 'l-threshold'),
  valued('', 'tun-type', 'tun-type'),
  valued('', 'tun-port', 'tun-port'),
  flag('', 'tun-nocsum', 'tun-nocsum'),
  flag('', 'tun-csum', 'tun-csum'),
  flag('', 'tun-remcsum', 'tun-remcsum'),
  flag('n', 'numeric', 'numeric'),
  flag('c', 'connection', 'connection'),
  flag('', 'timeout', 'timeout'),
  flag('', 'daemon', 'daemon'),
  flag('', 'stats', 'stats'),
  flag('', 'rate', 'rate'),
  flag('', 'thresholds', 'thresholds'),
  flag('', 'persistent-conn', 'persistent-conn'),
  flag('', 'tun-info', 'tun-info'),
  flag('', 'nosort', 'nosort'),
  flag('', 'sort'),
  flag('X', 'exact', 'exact'),
  valued('', 'mcast-interface', 'mcast-interface'),
  valued('', 'syncid', 'syncid'),
  valued('', 'sync-maxlen', 'sync-maxlen'),
  valued('', 'mcast-group', 'mcast-group'),
  valued('', 'mcast-port', 'mcast-port'),
  valued('', 'mcast-ttl', 'mcast-ttl'),
  valued('z', 'laddr', 'laddr'),
  flag('', 'drain', 'drain'),
  valued('', 'local-ports', 'local-ports'),
  valued('j', 'synproxy', 'synproxy'),
  valued('', 'synproxy-opts', 'synproxy-opts'),
  valued('', 'defence', 'defence'),
  flag('', 'stage', 'stage'),
  flag('', 'json', 'json'),
  option('', 'where', 'required', 'where', true),
  option('', 'watch', 'optional', 'watch'),
];

/** After -a and -e, `-b` is a forwarding method; everywhere else it is --sched-flags. */
const WITH_SCHED_FLAGS: readonly AdmOption[] = [...COMMON, valued('b', 'sched-flags', 'sched-flags')];
const WITH_FULLNAT: readonly AdmOption[] = [
  ...COMMON,
  flag('b', 'fullnat', 'forwarding-method'),
  valued('', 'sched-flags', 'sched-flags'),
];

/** The options of a command line with this command; undefined while the command is unknown. */
export function optionsFor(name: AdmOption['command']): readonly AdmOption[] {
  return name === 'add-server' || name === 'edit-server' ? WITH_FULLNAT : WITH_SCHED_FLAGS;
}
