// SPDX-License-Identifier: MIT
/** Which options go with which command, and with which type of tunnel. */
import { TUNNELS } from '../../ipvs/index.ts';
import { usage } from '../errors.ts';
import { type CommandName, OPTION_NAMES, type OptionName } from './options.ts';

interface Rule {
  readonly required?: readonly OptionName[];
  readonly optional?: readonly OptionName[];
  /** At most one of them. */
  readonly oneOf?: readonly OptionName[];
}

const SERVICE = ['service-address'] as const;
const SERVER = ['service-address', 'real-server'] as const;
const LOCAL_ADDRESS = ['service-address', 'laddr'] as const;
/** Options of every listing that ipvsadm does not have. */
const LISTING = ['json', 'where', 'watch'] as const;
const TUNNEL_OPTIONS = ['tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'] as const;

const SERVICE_SETTINGS: Rule = {
  required: SERVICE,
  optional: [
    'scheduler',
    'persistent',
    'netmask',
    'ops',
    'pe',
    'sched-flags',
    'local-ports',
    'synproxy',
    'synproxy-opts',
    'defence',
  ],
};
const SERVER_SETTINGS: Rule = {
  required: SERVER,
  optional: ['forwarding-method', 'weight', 'u-threshold', 'l-threshold', 'tun-type', ...TUNNEL_OPTIONS],
};

const COMMAND_RULES: Readonly<Record<CommandName, Rule>> = {
  'add-service': SERVICE_SETTINGS,
  'edit-service': SERVICE_SETTINGS,
  'delete-service': { required: SERVICE },
  list: {
    oneOf: ['connection', 'service-address', 'timeout', 'daemon'],
    optional: [
      'numeric',
      'stats',
      'rate',
      'thresholds',
      'persistent-conn',
      'nosort',
      'exact',
      'tun-info',
      // Without effect, but ipvsadm accepts it.
      'syncid',
      ...LISTING,
    ],
  },
  zero: { optional: SERVICE },
  'add-server': SERVER_SETTINGS,
  'edit-server': SERVER_SETTINGS,
  'delete-server': { required: SERVER },
  save: { optional: ['numeric'] },
  'start-daemon': {
    optional: ['mcast-interface', 'syncid', 'mcast-group', 'mcast-port', 'mcast-ttl', 'sync-maxlen'],
  },
  'stop-daemon': { optional: ['syncid'] },
  'add-laddr': { required: LOCAL_ADDRESS },
  'del-laddr': { required: LOCAL_ADDRESS, optional: ['drain'] },
  'get-laddr': { optional: ['service-address', ...LISTING] },
  flush: {},
  set: {},
  restore: {},
  secret: {},
  'cookie-secret': { optional: ['stage'] },
};

const TUNNEL_RULES: Readonly<Record<(typeof TUNNELS)[number]['name'], Rule>> = {
  ipip: {},
  gue: { required: ['tun-port'], oneOf: ['tun-nocsum', 'tun-csum', 'tun-remcsum'] },
  gre: { oneOf: ['tun-nocsum', 'tun-csum'] },
};

/** Throws for the first violation, in the order of OPTION_NAMES. */
export function checkOptions(command: CommandName, given: ReadonlySet<OptionName>): void {
  check(COMMAND_RULES[command], OPTION_NAMES, given, `'${command}' command`);
}

/** `type` is IP_VS_CONN_F_TUNNEL_TYPE_*. */
export function checkTunnelOptions(type: number, given: ReadonlySet<OptionName>): void {
  const tunnel = TUNNELS.find(({ number }) => number === type);
  if (tunnel) check(TUNNEL_RULES[tunnel.name], TUNNEL_OPTIONS, given, `'${tunnel.name}' tunnel type`);
}

function check(rule: Rule, names: readonly OptionName[], given: ReadonlySet<OptionName>, subject: string): void {
  const { required = [], optional = [], oneOf = [] } = rule;
  let chosen: OptionName | undefined;
  for (const name of names) {
    if (!given.has(name)) {
      if (required.includes(name)) throw usage(`You need to supply the '${name}' option for the ${subject}`);
    } else if (oneOf.includes(name)) {
      if (chosen) throw usage(`The option '${name}' conflicts with the '${chosen}' option in the ${subject}`);
      chosen = name;
    } else if (!required.includes(name) && !optional.includes(name)) {
      throw usage(`Illegal '${name}' option with the ${subject}`);
    }
  }
}
