// SPDX-License-Identifier: MIT
/**
 * Health targets, and the state of each before its first probe. In order of precedence: the state of the real server
 * under the previous configuration; up for a real server in the kernel's table; down for one missing from an existing
 * service; up for one of a new service. Pure.
 */
import type { Check, Target, TargetState } from '../../health/types.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import type { ActualService } from '../../plan/types.ts';
import { type HealthTarget, type RealServer, serverText, type VirtualService } from './virtual-services.ts';

/**
 * Every target of the services, once. `table` finds a kernel service by `VirtualService.key`. Initial states are
 * computed only for targets that are not `known`. `inherited` is the previous state of the real server of a new target:
 * it takes precedence over the assumed state of a target that another service shares.
 */
export function targets(
  services: readonly VirtualService[],
  table: (key: string) => ActualService | undefined,
  known: (id: string) => Pick<TargetState, 'up' | 'probed'> | undefined = () => undefined,
  inherited: (id: string) => boolean | undefined = () => undefined,
): Target[] {
  const found = new Map<string, { target: StartingTarget; seen: boolean }>();
  for (const service of services) {
    let present: Map<string, number> | undefined;
    for (const { server, target } of checksOf(service)) {
      const { id, check } = target;
      const before = found.get(id);
      const was = inherited(id);
      const is = known(id);
      if (is) {
        if (before) continue;
        const initiallyUp = is.up || (!is.probed && was === true);
        found.set(id, { target: new StartingTarget(target, service, server, initiallyUp), seen: true });
        continue;
      }
      present ??= weights(table(service.key));
      const inTable = present && isServing(service, server, present.get(server.key));
      // For a target that several services share, an existing table entry counts more than a new service.
      const fromTable = inTable ?? before?.target.initiallyUp ?? true;
      const initial =
        check.start === 'auto'
          ? fromTable || (before?.seen === true && before.target.initiallyUp)
          : check.start === 'up';
      const initiallyUp = was ?? initial;
      const seen = before?.seen === true || inTable !== undefined;
      if (before) [before.target.initiallyUp, before.seen] = [initiallyUp, seen];
      else found.set(id, { target: new StartingTarget(target, service, server, initiallyUp), seen });
    }
  }
  return Array.from(found.values(), ({ target }) => target);
}

/** Refers to the objects of the configuration, which has tens of thousands of targets: a label is made when it is used. */
class StartingTarget implements Target {
  readonly #target: HealthTarget;
  readonly #service: VirtualService;
  readonly #server: RealServer;
  initiallyUp: boolean;

  constructor(target: HealthTarget, service: VirtualService, server: RealServer, initiallyUp: boolean) {
    this.#target = target;
    this.#service = service;
    this.#server = server;
    this.initiallyUp = initiallyUp;
  }

  get id(): string {
    return this.#target.id;
  }

  get address(): string {
    return this.#target.address;
  }

  get port(): number {
    return this.#target.port;
  }

  get check(): Check {
    return this.#target.check;
  }

  get label(): string {
    return `${this.#service.spec.name} ${serverText(this.#server)}`;
  }
}

function checksOf({ realServers }: VirtualService): { server: RealServer; target: HealthTarget }[] {
  return realServers.flatMap((server) => server.targets.map((target) => ({ server, target })));
}

function weights(service: ActualService | undefined): Map<string, number> | undefined {
  return service && new Map(service.destinations.map((one) => [destinationKeyText(one), one.weight]));
}

/** Weight 0 means down, unless 0 is the configured weight or `on_failure` never sets it. */
function isServing(service: VirtualService, server: RealServer, weight: number | undefined): boolean {
  if (weight === undefined) return false;
  return weight > 0 || server.destination.weight === 0 || service.spec.onFailure !== 'inhibit';
}
