// SPDX-License-Identifier: MIT
/**
 * The dependencies of an instance: its own interface, other interfaces, and virtual services of lvsd. The causes of a fault
 * and the priority are derived anew from the state of all of them, so that neither depends on the order of events.
 */
import type { Link } from '../net/index.ts';
import { effectivePriority } from './timing.ts';

/** Something that an instance tracks. */
export interface Tracked {
  kind: 'interface' | 'service';
  name: string;
  /** Added to the priority while it is up if positive, while it is down if negative. Undefined: down is a fault. */
  weight?: number;
}

export interface TrackedState extends Tracked {
  up: boolean;
}

/** State of services by name; a service without one counts as up. */
export type ServiceStates = ReadonlyMap<string, boolean>;

export interface Dependence {
  /** Causes of a fault. */
  causes: string[];
  /** In effect: the configured one and the weights. */
  priority: number;
  tracked: TrackedState[];
  /** Why the priority is not the configured one. */
  reasons: string[];
}

/** Why an interface cannot be used; undefined if it can. */
export function linkFault(links: readonly Link[], name: string): string | undefined {
  const link = links.find((one) => one.name === name);
  if (link === undefined) return `no device ${name}`;
  if (!link.up) return `${name} is down`;
  return link.carrier ? undefined : `${name}: no carrier`;
}

/** `priority`: the configured one. */
export function dependence(
  { interface: own, priority, track }: { interface: string; priority: number; track: readonly Tracked[] },
  links: readonly Link[],
  services: ServiceStates,
): Dependence {
  const ownFault = linkFault(links, own);
  const causes = ownFault === undefined ? [] : [ownFault];
  const tracked: TrackedState[] = [];
  const weights: number[] = [];
  const reasons: string[] = [];
  for (const one of track) {
    const fault = faultOf(one, links, services);
    tracked.push({ ...one, up: fault === undefined });
    if (one.weight === undefined) {
      if (fault !== undefined) causes.push(fault);
    } else if (one.weight > 0 === (fault === undefined)) {
      weights.push(one.weight);
      reasons.push(fault ?? `${one.kind} ${one.name} is up`);
    }
  }
  return { causes, priority: effectivePriority(priority, weights), tracked, reasons };
}

function faultOf({ kind, name }: Tracked, links: readonly Link[], services: ServiceStates): string | undefined {
  if (kind === 'interface') return linkFault(links, name);
  return services.get(name) === false ? `service ${name} has no quorum` : undefined;
}
