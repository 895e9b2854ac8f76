// SPDX-License-Identifier: MIT
/**
 * Real servers that were removed from the file and stay at weight 0 until their connections end. Pure: instants are
 * arguments.
 */
import { type DestinationConfig, defaultDestination } from '../../ipvs/index.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import type { RealServer, VirtualService } from './virtual-services.ts';

export interface DrainingServer {
  /** `VirtualService.key`. */
  service: string;
  destination: DestinationConfig;
  /** Its name in the file; undefined if it was not known, or is address:port. */
  name?: string | undefined;
  /** Instant of a monotonic clock, in milliseconds. The server is removed then, or earlier with its last connection. */
  until: number;
  /** It was down when it was removed from the file (`on_failure: inhibit` had kept it in the table). */
  wasDown: boolean;
}

/** A server that is in the configuration again, and what it was while it drained. */
export interface RevivedServer {
  server: RealServer;
  was: DrainingServer;
}

export class Draining {
  /** By the service's key. */
  readonly #servers: Map<string, DrainingServer[]>;

  constructor(servers: Iterable<[string, readonly DrainingServer[]]> = []) {
    this.#servers = new Map(Array.from(servers, ([key, list]) => [key, [...list]]));
  }

  get all(): readonly DrainingServer[] {
    return [...this.#servers.values()].flat();
  }

  of(service: string): readonly DrainingServer[] {
    return this.#servers.get(service) ?? [];
  }

  copy(): Draining {
    return new Draining(this.#servers);
  }

  add(server: DrainingServer): void {
    const list = this.#servers.get(server.service);
    if (list) list.push(server);
    else this.#servers.set(server.service, [server]);
  }

  /** Adopts a server removed from the file while the daemon was down. Returns whether it will drain. */
  adopt(service: VirtualService, found: DestinationConfig, now: number): boolean {
    const key = destinationKeyText(found);
    if (service.spec.drain === 0 || this.of(service.key).some((one) => destinationKeyText(one.destination) === key))
      return false;
    const { method, tunnelType, tunnelPort, tunnelFlags } = found;
    const destination = { ...defaultDestination(found), method, tunnelType, tunnelPort, tunnelFlags };
    this.add({ service: service.key, destination, until: now + service.spec.drain, wasDown: false });
    return true;
  }

  /** Stops draining the servers that the service has again, and returns them. */
  revive(service: VirtualService): RevivedServer[] {
    const list = this.#servers.get(service.key);
    if (!list) return [];
    const configured = new Map(service.realServers.map((server) => [server.key, server]));
    const revived: RevivedServer[] = [];
    this.#filter(service.key, list, (was) => {
      const server = configured.get(destinationKeyText(was.destination));
      if (server) revived.push({ server, was });
      return server === undefined;
    });
    return revived;
  }

  /** Forgets all servers of a service that was removed itself. */
  forget(service: string): void {
    this.#servers.delete(service);
  }

  /** Forgets servers whose time is over, and idle ones (without connections). Returns their number by service. */
  expire(now: number, isIdle: (server: DrainingServer) => boolean): ReadonlyMap<string, number> {
    const expired = new Map<string, number>();
    for (const [key, list] of this.#servers) {
      const before = list.length;
      const left = this.#filter(key, list, (one) => one.until > now && !isIdle(one));
      if (left < before) expired.set(key, before - left);
    }
    return expired;
  }

  /** Keeps the servers that `stays` accepts. Returns how many are left. */
  #filter(key: string, list: readonly DrainingServer[], stays: (server: DrainingServer) => boolean): number {
    const left = list.filter(stays);
    if (left.length > 0) this.#servers.set(key, left);
    else this.#servers.delete(key);
    return left.length;
  }
}
