// SPDX-License-Identifier: MIT
/** A configuration spelled out: each of the kernel's services with its real servers, and what to probe for each. */
import { createHash } from 'node:crypto';
import { formatAddress } from '../../base/addresses.ts';
import type { Config, RealServerSpec, ServiceSpec, Virtual } from '../../config/types.ts';
import type { Check } from '../../health/types.ts';
import { type DestinationConfig, type ServiceConfig, serviceKeyText } from '../../ipvs/index.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import { endpointText } from '../../plan/texts.ts';
import { destinationConfig, serviceConfig, sorryConfig } from './kernel-types.ts';

/** A real server behind one virtual service. */
export interface Member {
  spec: RealServerSpec;
  /** With its full weight. */
  destination: DestinationConfig;
  /** `destinationKeyText` of it. */
  key: string;
  /** undefined: not checked. */
  target: { id: string; address: string; port: number; check: Check } | undefined;
}

/** One service of the kernel. */
export interface Entry {
  /** `serviceKeyText` of it. */
  key: string;
  spec: ServiceSpec;
  virtual: Virtual;
  service: ServiceConfig;
  members: readonly Member[];
  sorry: DestinationConfig | undefined;
}

/** A service that a reload has left as it was keeps its entries: whoever compares them sees at once that they are the same. */
const made = new WeakMap<ServiceSpec, readonly Entry[]>();

export function roster(config: Config): Entry[] {
  const entries: Entry[] = [];
  for (const spec of config.services.values()) {
    let those = made.get(spec);
    if (!those) {
      those = spec.virtuals.map((virtual) => entry(spec, virtual));
      made.set(spec, those);
    }
    for (const one of those) entries.push(one);
  }
  return entries;
}

function entry(spec: ServiceSpec, virtual: Virtual): Entry {
  const service = serviceConfig(spec, virtual);
  return {
    key: serviceKeyText(service),
    spec,
    virtual,
    service,
    members: spec.realServers.map((server) => member(server, virtual)),
    sorry: spec.sorryServer && sorryConfig(spec.sorryServer, virtual),
  };
}

function member(spec: RealServerSpec, virtual: Virtual): Member {
  const destination = destinationConfig(spec, virtual);
  return new Behind(spec, destination, target(spec, destination));
}

/** Its key is made when it is asked for: a start has tens of thousands of members, and mostly needs none of the texts. */
class Behind implements Member {
  readonly spec: RealServerSpec;
  readonly destination: DestinationConfig;
  readonly target: Member['target'];
  #key: string | undefined;

  constructor(spec: RealServerSpec, destination: DestinationConfig, to: Member['target']) {
    this.spec = spec;
    this.destination = destination;
    this.target = to;
  }

  get key(): string {
    this.#key ??= destinationKeyText(this.destination);
    return this.#key;
  }
}

function target(spec: RealServerSpec, destination: DestinationConfig): Member['target'] {
  const { check } = spec;
  if (!check) return undefined;
  const address = check.address ?? formatAddress(destination.family, destination.address);
  const port = check.port || destination.port;
  return { id: targetId(address, port, check), address, port, check };
}

/** Checks are shared objects of the configuration, and those of different services mostly say the same. */
const digests = new WeakMap<Check, string>();

/** Equal for what is probed in the same way; stable over restarts, as the state file needs it. */
function targetId(address: string, port: number, check: Check): string {
  let digest = digests.get(check);
  if (digest === undefined) {
    // Keys in a fixed order, whatever order the file has them in.
    const text = JSON.stringify(Object.entries(check).sort(([a], [b]) => (a < b ? -1 : 1)));
    digest = createHash('sha1').update(text).digest('base64url').slice(0, 20);
    digests.set(check, digest);
  }
  return `${address} ${port} ${digest}`;
}

/** "10.31.4.2:8443". */
export function serverText({ destination }: Member): string {
  return endpointText(destination.family, destination.address, destination.port);
}
