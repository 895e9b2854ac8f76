// SPDX-License-Identifier: MIT
/** Which option goes with which command. */
import { once } from '../base/once.ts';
import { type CommandName, OPTION_NAMES, type OptionName } from './options.ts';
import { usage } from './outcome.ts';

interface Rule {
  readonly required?: readonly OptionName[];
  readonly optional?: readonly OptionName[];
  /** At most one of them. */
  readonly oneOf?: readonly OptionName[];
}

const SERVICE = ['service-address'] as const;
const SERVER = ['service-address', 'real-server'] as const;
/** Ours, of every listing. */
const OF_LISTINGS = ['json', 'where', 'watch'] as const;

/** Made for the one command there is: all of them would take longer than the rest of a command line. */
function ruleOf(command: CommandName): Rule {
  switch (command) {
    case 'add-service':
    case 'edit-service':
      return {
        required: SERVICE,
        optional: ['scheduler', 'persistent', 'netmask', 'ops', 'pe', 'sched-flags', 'local-ports'],
      };
    case 'delete-service':
      return { required: SERVICE };
    case 'list':
      return {
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
      };
    case 'zero':
      return { optional: SERVICE };
    case 'add-server':
    case 'edit-server':
      return {
        required: SERVER,
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
    case 'delete-server':
      return { required: SERVER };
    case 'save':
      return { optional: ['numeric'] };
    case 'start-daemon':
      return { optional: ['mcast-interface', 'syncid', 'mcast-group', 'mcast-port', 'mcast-ttl', 'sync-maxlen'] };
    case 'stop-daemon':
      return { optional: ['syncid'] };
    case 'add-laddr':
      return { required: ['service-address', 'laddr'] };
    case 'del-laddr':
      return { required: ['service-address', 'laddr'], optional: ['drain'] };
    case 'get-laddr':
      return { optional: ['service-address', ...OF_LISTINGS] };
    case 'flush':
    case 'set':
    case 'restore':
    case 'secret':
      return {};
  }
}

/** Throws the first breach, in the order of OPTION_NAMES. */
export function checkOptions(command: CommandName, given: ReadonlySet<OptionName>): void {
  const { required = [], optional = [], oneOf = [] } = ruleOf(command);
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
const tunnelRules = once((): readonly { readonly name: string; readonly rule: Rule }[] => [
  { name: 'ipip', rule: {} },
  { name: 'gue', rule: { required: ['tun-port'], oneOf: ['tun-nocsum', 'tun-csum', 'tun-remcsum'] } },
  { name: 'gre', rule: { oneOf: ['tun-nocsum', 'tun-csum'] } },
]);

/** The same for the options of a tunnel; `type` is IP_VS_CONN_F_TUNNEL_TYPE_*. */
export function checkTunnelOptions(type: number, given: ReadonlySet<OptionName>): void {
  const entry = tunnelRules()[type];
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
