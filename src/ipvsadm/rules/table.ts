// SPDX-License-Identifier: MIT
/**
 * The table that a file of rules describes, computed without the kernel: its rules are applied in order to an empty table,
 * and rejected as the kernel would reject them, as far as that can be predicted.
 */
import { AF_INET6 } from '../../base/addresses.ts';
import {
  bytesText,
  type DestinationConfig,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_STATE_MASTER,
  isDefended,
  type ServiceConfig,
  type ServiceKey,
  type SyncDaemon,
  serviceKeyText,
  type Timeouts,
} from '../../ipvs/index.ts';
import { type DesiredService, serviceText } from '../../plan/index.ts';
import type { Invocation } from '../command-line/invocation.ts';

/** A rule that cannot be applied. */
export class BadRule extends Error {}

interface Entry {
  config: ServiceConfig;
  destinations: Map<string, DestinationConfig>;
  localAddresses: Map<string, Uint8Array>;
}

export type DaemonName = 'master' | 'backup';

export class RuleTable {
  /** Only those that the file mentions. */
  readonly daemons = new Map<DaemonName, SyncDaemon | 'stopped'>();
  /** Seconds; 0 if the file does not set it. */
  timeouts: Timeouts = { tcp: 0, tcpFin: 0, udp: 0 };
  readonly #services = new Map<string, Entry>();
  /** The line of the rule that added a service, destination or local address. */
  readonly #lines = new Map<string, number>();

  get services(): DesiredService[] {
    return [...this.#services.values()].map(({ config, destinations, localAddresses }) => ({
      ...config,
      name: serviceText(config),
      destinations: [...destinations.values()],
      localAddresses: [...localAddresses.values()],
      establishedTimeout: undefined,
    }));
  }

  /** Whether a service has SYN proxy. */
  get needsSynProxy(): boolean {
    return [...this.#services.values()].some(({ config }) => config.synProxy?.enabled);
  }

  /** Whether a service has a defence. */
  get needsDefence(): boolean {
    return [...this.#services.values()].some(({ config }) => isDefended(config.defence));
  }

  get needsFullnat(): boolean {
    for (const { config, destinations, localAddresses } of this.#services.values()) {
      if (localAddresses.size > 0 || config.portMin !== undefined) return true;
      for (const { method } of destinations.values()) if (method === IP_VS_CONN_F_FULLNAT) return true;
    }
    return false;
  }

  /** The line that added a service; `part`: or its real server or local address. */
  lineOf(service: ServiceKey, part?: { address: Uint8Array; port?: number }): number | undefined {
    const key = serviceKeyText(service);
    return (part && this.#lines.get(`${key} ${partKey(part)}`)) ?? this.#lines.get(key);
  }

  /** Throws BadRule. */
  apply(line: Invocation, number: number): void {
    const { service, destination } = line;
    switch (line.command) {
      case 'add-service':
        this.#absent(serviceKeyText(service), this.#services, 'Service already exists');
        this.#lines.set(serviceKeyText(service), number);
        this.#services.set(serviceKeyText(service), {
          config: withKernelAddress(service),
          destinations: new Map(),
          localAddresses: new Map(),
        });
        break;
      case 'edit-service':
        this.#edit(this.#entry(service, 'No such service'), withKernelAddress(service));
        break;
      case 'delete-service':
        this.#entry(service, 'No such service');
        this.#services.delete(serviceKeyText(service));
        break;
      case 'flush':
        this.#services.clear();
        break;
      case 'add-server':
      case 'edit-server':
      case 'delete-server':
        this.#server(line.command, service, destination, number);
        break;
      case 'add-laddr':
      case 'del-laddr':
        this.#localAddress(line, number);
        break;
      case 'set':
        for (const name of ['tcp', 'tcpFin', 'udp'] as const)
          if (line.timeouts[name]) this.timeouts = { ...this.timeouts, [name]: line.timeouts[name] };
        break;
      case 'start-daemon':
        this.daemons.set(daemonName(line.daemon), line.daemon);
        break;
      case 'stop-daemon':
        this.daemons.set(daemonName(line.daemon), 'stopped');
        break;
      default:
        throw new BadRule(`--${line.command} is not allowed in a file of rules`);
    }
  }

  /** Settings of the patched kernel keep their values if the rule does not name them. */
  #edit(entry: Entry, config: ServiceConfig): void {
    const { synProxy, defence, portMin, portMax } = entry.config;
    const ports = config.portMin === undefined ? { portMin, portMax } : {};
    entry.config = {
      ...config,
      ...ports,
      synProxy: config.synProxy ? { ...synProxy, ...config.synProxy } : synProxy,
      defence: config.defence ?? defence,
    };
  }

  #server(
    command: 'add-server' | 'edit-server' | 'delete-server',
    service: ServiceKey,
    destination: DestinationConfig,
    number: number,
  ): void {
    const { destinations } = this.#entry(service, 'Service not defined');
    const key = partKey(destination);
    const line = `${serviceKeyText(service)} ${key}`;
    if (command === 'add-server') this.#absent(key, destinations, 'Destination already exists', line);
    else if (!destinations.has(key)) throw new BadRule('No such destination');
    if (command === 'delete-server') {
      destinations.delete(key);
      return;
    }
    checkDestination(destination);
    destinations.set(key, destination);
    this.#lines.set(line, number);
  }

  #localAddress({ command, service, localAddress: address, options }: Invocation, number: number): void {
    const { localAddresses } = this.#entry(service, 'Service not defined');
    if (!address) throw new TypeError('a command on a local address without one');
    const key = partKey({ address });
    const line = `${serviceKeyText(service)} ${key}`;
    if (options.has('drain')) throw new BadRule('--drain is not allowed in a file of rules');
    if (command === 'add-laddr') {
      this.#absent(key, localAddresses, 'Local address already exists', line);
      localAddresses.set(key, address);
      this.#lines.set(line, number);
    } else if (!localAddresses.delete(key)) throw new BadRule('No such Local address');
  }

  #entry(service: ServiceKey, message: string): Entry {
    const entry = this.#services.get(serviceKeyText(service));
    if (!entry) throw new BadRule(message);
    return entry;
  }

  #absent(key: string, map: ReadonlyMap<string, unknown>, message: string, line = key): void {
    if (map.has(key)) throw new BadRule(`${message} (line ${this.#lines.get(line)})`);
  }
}

function partKey({ address, port }: { address: Uint8Array; port?: number }): string {
  return port === undefined ? bytesText(address) : `${bytesText(address)}/${port}`;
}

const ANY_IPV6 = new Uint8Array(16);

/** A service with a mark gets the all-zero address of its family, as the kernel reports it. */
function withKernelAddress(service: ServiceConfig): ServiceConfig {
  return service.fwmark && service.family === AF_INET6 ? { ...service, address: ANY_IPV6 } : service;
}

/** The checks of ip_vs_add_dest that depend on nothing else. */
function checkDestination({ address, upperThreshold, lowerThreshold }: DestinationConfig): void {
  if (lowerThreshold > upperThreshold) throw new BadRule('the lower threshold is above the upper one');
  const [first = 0] = address;
  const unicast = address.length === 16 ? first !== 0xff : first < 224 && address.some((byte) => byte !== 0);
  if (!unicast) throw new BadRule('the address of a real server must be a unicast one');
}

/** The argument of --start-daemon. */
export function daemonName({ state }: SyncDaemon): DaemonName {
  return state === IP_VS_STATE_MASTER ? 'master' : 'backup';
}
