// SPDX-License-Identifier: MIT
/** Real servers and sorry server of one service. */
import { AF_INET, type Family } from '../../base/addresses.ts';
import { describe } from '../describe.ts';
import type { RawForward, RawRealServer, RawSorry } from '../schema.ts';
import type { Check, Forward, RealServerSpec, Sorry, Virtual } from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { Written } from './checks.ts';
import { resolveForward } from './forward.ts';
import type { Scene } from './scene.ts';
import { addressId, addressOf, type Endpoint, endpointOf, endpointText, notUnicast } from './values.ts';

/** What the servers of a service need to know of it. */
export interface Surroundings {
  /** services.NAME */
  path: Path;
  virtuals: readonly Virtual[];
  family: Family;
  forward: Forward;
  check: Written | undefined;
  weight: number;
}

type ServerMap = Exclude<RawRealServer, string>;

export function resolveServers(raw: readonly RawRealServer[], around: Surroundings, scene: Scene): RealServerSpec[] {
  const result: RealServerSpec[] = [];
  const twins = new Twins(around.virtuals);
  const names = new Map<string, number>();
  const check = scene.checks.resolve(around.check);
  for (const [index, server] of raw.entries()) {
    const path = () => [...around.path, 'real_servers', index];
    const endpoint = endpointFor(server, path, scene);
    if (!endpoint) continue;
    const spec = specOf(server, endpoint, around, path, scene, check);
    const twin = twins.find(endpoint, index);
    if (twin !== undefined)
      scene.context.report(path(), `found ${endpoint.text}, which is real_servers[${twin}] already; allowed: once`);
    const other = names.get(spec.name);
    if (other === undefined) names.set(spec.name, index);
    else if (twin === undefined)
      scene.context.report(
        [...path(), 'name'],
        `found the name ${describe(spec.name)}, which real_servers[${other}] has; allowed: one that no other has`,
      );
    result.push(spec);
  }
  return result;
}

export function resolveSorry(
  raw: RawSorry,
  around: Surroundings,
  servers: readonly RealServerSpec[],
  scene: Scene,
): Sorry | undefined {
  const path = () => [...around.path, 'sorry_server'];
  const endpoint = endpointFor(raw, path, scene);
  if (!endpoint) return undefined;
  const forward = forwardOf(typeof raw === 'string' ? undefined : raw.forward, around.forward, path, scene);
  checkForward(endpoint, forward, around, path, scene);
  const twins = new Twins(around.virtuals);
  for (const [index, { address, port }] of servers.entries()) twins.find({ bytes: address, port }, index);
  const twin = twins.find(endpoint, -1);
  if (twin !== undefined)
    scene.context.report(path(), `found ${endpoint.text}, which is a real server of this service; allowed: another`);
  const { family, bytes, port } = endpoint;
  return { family, address: bytes, port, forward };
}

function specOf(
  server: RawRealServer,
  endpoint: Endpoint,
  around: Surroundings,
  path: () => Path,
  scene: Scene,
  inherited: Check | undefined,
): RealServerSpec {
  const { family, bytes: address, port, text } = endpoint;
  const own: Partial<ServerMap> = typeof server === 'string' ? {} : server;
  const forward = forwardOf(own.forward, around.forward, path, scene);
  checkForward(endpoint, forward, around, path, scene);
  const { upper = 0, lower = 0 } = own.thresholds ?? {};
  if (lower > upper) {
    const found = upper === 0 ? `found lower ${lower} without upper` : `found lower ${lower} above upper ${upper}`;
    scene.context.report([...path(), 'thresholds', 'lower'], `${found}; allowed: at most upper`);
  }
  const check =
    own.check === undefined
      ? inherited
      : scene.checks.resolve({ raw: own.check, path: [...path(), 'check'], below: around.check });
  if (check) checkTarget(check, endpoint, own, around, path, scene);
  return {
    name: own.name ?? text,
    family,
    address,
    port,
    weight: own.weight ?? around.weight,
    forward,
    upperThreshold: upper,
    lowerThreshold: lower,
    check,
  };
}

function endpointFor(server: RawRealServer | RawSorry, path: () => Path, scene: Scene): Endpoint | undefined {
  const text = typeof server === 'string' ? server : server.address;
  let found: Endpoint | string;
  if (typeof server === 'string') found = endpointOf(server);
  else {
    const address = addressOf(server.address);
    const port = server.port ?? 0;
    found =
      typeof address === 'string'
        ? address
        : { ...address, port, text: endpointText(address.family, address.bytes, port) };
  }
  const why = typeof found === 'string' ? found : notUnicast(found);
  if (typeof found !== 'string' && why === undefined) return found;
  const sentence = typeof found === 'string' ? found : `found ${text}, ${why}; allowed: one that a host can have`;
  scene.context.report(typeof server === 'string' ? path() : [...path(), 'address'], sentence);
  return undefined;
}

function forwardOf(own: RawForward | undefined, otherwise: Forward, path: () => Path, scene: Scene): Forward {
  if (own === undefined) return otherwise;
  return resolveForward(own, (key, text) => scene.context.report([...path(), 'forward', key], text));
}

/** What the kernel refuses of an address, a port and a method together. */
function checkForward(to: Endpoint, forward: Forward, around: Surroundings, path: () => Path, scene: Scene): void {
  const { method } = forward;
  const report = (text: string) => scene.context.report(path(), `found ${to.text} ${text}`);
  if (to.family !== around.family && method !== 'tunnel') {
    const family = around.family === AF_INET ? 'IPv4' : 'IPv6';
    report(`with ${method} in an ${family} service; allowed: ${family}, or tunnel, the only method between families`);
  }
  if (method === 'masquerade') return;
  if (method === 'fullnat') {
    const id = addressId(to.bytes);
    const pool = scene.localPlaces.get(id)?.pool;
    const what = pool === undefined ? 'a virtual address' : `a local address of ${pool}`;
    if (pool !== undefined || scene.virtualAddresses.has(id))
      report(`with fullnat, and it is ${what}; allowed: real servers on other hosts`);
    return;
  }
  const other = to.port === 0 ? undefined : around.virtuals.find(({ port }) => port !== to.port);
  if (!other) return;
  const port = other.fwmark === 0 && other.port !== 0 ? `${other.port}, the service's` : 'none';
  report(`with ${method}, which cannot change ports; allowed: ${port}`);
}

function checkTarget(
  check: Check,
  to: Endpoint,
  own: Partial<ServerMap>,
  around: Surroundings,
  path: () => Path,
  scene: Scene,
): void {
  const place = () => (own.check === undefined ? path() : [...path(), 'check']);
  const port = check.port || to.port || (around.virtuals[0]?.port ?? 0);
  if (port === 0 && check.type !== 'exec' && around.virtuals.length > 0)
    scene.context.report(
      place(),
      `found a ${check.type} check of ${to.text}, which has no port; allowed: with \`port\` in the check`,
    );
  if (check.bind === undefined) return;
  const probed = check.address ?? to.text;
  if (check.bind.includes(':') === (check.address === undefined ? to.family !== AF_INET : probed.includes(':'))) return;
  scene.context.report(
    place(),
    `found bind ${check.bind} for a check of ${probed}; allowed: an address of the same family`,
  );
}

/** Servers that the kernel cannot tell apart: equal addresses and ports, where no port means the service's. */
class Twins {
  readonly #ports: ReadonlySet<number>;
  readonly #only: number;
  readonly #seen = new Map<string, number>();
  /** Addresses with some port of their own, and the last of these. */
  readonly #ranged: boolean;

  constructor(virtuals: readonly Virtual[]) {
    this.#ports = virtuals.length > 1 ? new Set(virtuals.map(({ port }) => port)) : new Set();
    this.#only = virtuals.length === 1 ? (virtuals[0]?.port ?? 0) : 0;
    this.#ranged = this.#ports.size > 1;
    if (this.#ports.size === 1) this.#only = virtuals[0]?.port ?? 0;
  }

  /** The index of an equal one before it. */
  find({ bytes, port }: { bytes: Uint8Array; port: number }, index: number): number | undefined {
    const address = addressId(bytes);
    const effective = port === 0 ? this.#only : port;
    const id = `${address}${effective}`;
    let twin = this.#seen.get(id);
    if (twin === undefined && this.#ranged)
      twin = effective === 0 ? this.#seen.get(`${address}*`) : this.#ofAll(address, effective);
    this.#seen.set(id, twin ?? index);
    if (this.#ranged && this.#ports.has(effective)) this.#seen.set(`${address}*`, index);
    return twin;
  }

  #ofAll(address: string, port: number): number | undefined {
    return this.#ports.has(port) ? this.#seen.get(`${address}0`) : undefined;
  }
}
