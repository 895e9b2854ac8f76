// SPDX-License-Identifier: MIT
/**
 * The configuration expanded to virtual services as the kernel has them, with their real servers and health targets.
 */
import { createHash } from 'node:crypto';
import { formatAddress } from '../../base/addresses.ts';
import type { Config, RealServerSpec, ServiceSpec, Virtual } from '../../config/types.ts';
import type { Check } from '../../health/types.ts';
import { type DestinationConfig, type ServiceConfig, serviceKeyText } from '../../ipvs/index.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import { endpointText } from '../../plan/texts.ts';
import { destinationConfig, serviceConfig, sorryConfig } from './kernel-types.ts';

/** One service of the kernel. */
export interface VirtualService {
  /** `serviceKeyText` of `config`. */
  key: string;
  spec: ServiceSpec;
  virtual: Virtual;
  config: ServiceConfig;
  realServers: readonly RealServer[];
  sorryServer: DestinationConfig | undefined;
}

/** The probe target of a real server. */
export class HealthTarget {
  readonly id: string;
  readonly check: Check;
  readonly #destination: DestinationConfig;

  constructor(check: Check, destination: DestinationConfig) {
    this.check = check;
    this.#destination = destination;
    this.id = targetId(this.address, this.port, check);
  }

  get address(): string {
    return this.check.address ?? formatAddress(this.#destination.family, this.#destination.address);
  }

  get port(): number {
    return this.check.port || this.#destination.port;
  }
}

/** A real server of one virtual service. */
export class RealServer {
  readonly spec: RealServerSpec;
  /** With its configured weight. */
  readonly destination: DestinationConfig;
  /** One for each check, all of which must pass; none: not checked. */
  readonly targets: readonly HealthTarget[];
  #key: string | undefined;

  constructor(spec: RealServerSpec, destination: DestinationConfig) {
    this.spec = spec;
    this.destination = destination;
    this.targets = healthTargets(spec, destination);
  }

  /**
   * `destinationKeyText` of the destination. Computed on first use: a start creates tens of thousands and needs few.
   */
  get key(): string {
    this.#key ??= destinationKeyText(this.destination);
    return this.#key;
  }
}

/** Virtual services by their spec, so that a service that a reload did not change keeps its objects. */
const expanded = new WeakMap<ServiceSpec, readonly VirtualService[]>();

/** All virtual services of a configuration, in its order. */
export function virtualServices(config: Config): VirtualService[] {
  const services: VirtualService[] = [];
  for (const spec of config.services.values()) {
    let ofSpec = expanded.get(spec);
    if (!ofSpec) {
      ofSpec = spec.virtuals.map((virtual) => virtualService(spec, virtual));
      expanded.set(spec, ofSpec);
    }
    for (const service of ofSpec) services.push(service);
  }
  return services;
}

function virtualService(spec: ServiceSpec, virtual: Virtual): VirtualService {
  const config = serviceConfig(spec, virtual);
  return {
    key: serviceKeyText(config),
    spec,
    virtual,
    config,
    realServers: spec.realServers.map((server) => new RealServer(server, destinationConfig(server, virtual))),
    sorryServer: spec.sorryServer && sorryConfig(spec.sorryServer, virtual),
  };
}

const NO_TARGETS: readonly HealthTarget[] = [];

function healthTargets({ check, moreChecks }: RealServerSpec, destination: DestinationConfig): readonly HealthTarget[] {
  if (moreChecks.length === 0) return check ? [new HealthTarget(check, destination)] : NO_TARGETS;
  const found = new Map<string, HealthTarget>();
  for (const one of check ? [check, ...moreChecks] : moreChecks) {
    const target = new HealthTarget(one, destination);
    found.set(target.id, target);
  }
  return [...found.values()];
}

/** Digests of checks. Real servers share check objects of the configuration, and most checks are equal. */
const digests = new WeakMap<Check, string>();

/** Equal for targets that are probed in the same way. Stable across restarts, as the state file requires. */
function targetId(address: string, port: number, check: Check): string {
  let digest = digests.get(check);
  if (digest === undefined) {
    // Sorted, so that the order of keys in the file does not matter.
    const text = JSON.stringify(Object.entries(check).sort(([a], [b]) => (a < b ? -1 : 1)));
    digest = createHash('sha1').update(text).digest('base64url').slice(0, 20);
    digests.set(check, digest);
  }
  // Flat: a template would leave two more strings in memory for each part.
  return [address, port, digest].join(' ');
}

/** "10.31.4.2:8443". */
export function serverText({ destination }: RealServer): string {
  return endpointText(destination.family, destination.address, destination.port);
}
