// SPDX-License-Identifier: MIT
/** Which option goes with which command. */
import { type CommandName, OPTION_NAMES, type OptionName } from './options.ts';
import { usage } from './outcome.ts';

interface Rule {
  readonly required?: readonly OptionName[];
  readonly optional?: readonly OptionName[];
  /** At most one of them. */
  readonly oneOf?: readonly OptionName[];
}

const SERVICE_OPTIONS: Rule = {
  required: ['service-address'],
  optional: ['scheduler', 'persistent', 'netmask', 'ops', 'pe', 'sched-flags', 'local-ports'],
};
const SERVER_OPTIONS: Rule = {
  required: ['service-address', 'real-server'],
  optional: [
    'forwarding-method',
    'weight',
    'u-threshold',
    'l-threshold',
    'tun-type',
    'tun-port',
    'tun-nocsum',
    'tun-csum',
    'tun-remcsum',
  ],
};

/** Ours, of every listing. */
const OF_LISTINGS = ['json', 'where', 'watch'] as const;

const RULES: Readonly<Record<CommandName, Rule>> = {
  'add-service': SERVICE_OPTIONS,
  'edit-service': SERVICE_OPTIONS,
  'delete-service': { required: ['service-address'] },
  flush: {},
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
      // It says nothing there, but ipvsadm takes it.
      'syncid',
      ...OF_LISTINGS,
    ],
  },
  zero: { optional: ['service-address'] },
  'add-server': SERVER_OPTIONS,
  'edit-server': SERVER_OPTIONS,
  'delete-server': { required: ['service-address', 'real-server'] },
  set: {},
  restore: {},
  save: { optional: ['numeric'] },
  'start-daemon': {
    optional: ['mcast-interface', 'syncid', 'mcast-group', 'mcast-port', 'mcast-ttl', 'sync-maxlen'],
  },
  'stop-daemon': { optional: ['syncid'] },
  'add-laddr': { required: ['service-address', 'laddr'] },
  'del-laddr': { required: ['service-address', 'laddr'], optional: ['drain'] },
  'get-laddr': { optional: ['service-address', ...OF_LISTINGS] },
  secret: {},
};

/** Throws the first breach, in the order of OPTION_NAMES. */
export function checkOptions(command: CommandName, given: ReadonlySet<OptionName>): void {
  const { required = [], optional = [], oneOf = [] } = RULES[command];
  let chosen: OptionName | undefined;
  for (const name of OPTION_NAMES) {
    if (!given.has(name)) {
      if (required.includes(name)) throw usage(`You need to supply the '${name}' option for the '${command}' command`);
    } else if (oneOf.includes(name)) {
      if (chosen) throw usage(`The option '${name}' conflicts with the '${chosen}' option in the '${command}' command`);
      chosen = name;
    } else if (!required.includes(name) && !optional.includes(name)) {
      throw usage(`Illegal '${name}' option with the '${command}' command`);
    }
  }
}

const TUNNEL_OPTIONS = ['tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'] as const;
const TUNNEL_RULES: readonly { readonly name: string; readonly rule: Rule }[] = [
  { name: 'ipip', rule: {} },
  { name: 'gue', rule: { required: ['tun-port'], oneOf: ['tun-nocsum', 'tun-csum', 'tun-remcsum'] } },
  { name: 'gre', rule: { oneOf: ['tun-nocsum', 'tun-csum'] } },
];

/** The same for the options of a tunnel; `type` is IP_VS_CONN_F_TUNNEL_TYPE_*. */
export function checkTunnelOptions(type: number, given: ReadonlySet<OptionName>): void {
  const entry = TUNNEL_RULES[type];
  if (!entry) return;
  const { required = [], oneOf = [] } = entry.rule;
  let chosen: OptionName | undefined;
  for (const name of TUNNEL_OPTIONS) {
    if (!given.has(name)) {
      if (required.includes(name))
        throw usage(`You need to supply the '${name}' option for the '${entry.name}' tunnel type`);
    } else if (oneOf.includes(name)) {
      if (chosen)
        throw usage(`The option '${name}' conflicts with the '${chosen}' option in the '${entry.name}' tunnel type`);
      chosen = name;
    } else if (!required.includes(name)) {
      throw usage(`Illegal '${name}' option with the '${entry.name}' tunnel type`);
    }
  }
}
