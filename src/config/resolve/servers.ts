// SPDX-License-Identifier: MIT
/** Resolves the real servers and the sorry server of one service. */
import { AF_INET, type Family, parseIpv4 } from '../../base/addresses.ts';
import { KINDS } from '../../health/kinds.ts';
import { describe } from '../describe.ts';
import type { RawForward, RawRealServer, RawSorry } from '../schema.ts';
import type { Check, Forward, RealServerSpec, Sorry, Virtual } from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { Context } from './context.ts';
import { resolveForward } from './forward.ts';
import type { RawCheckLayer } from './inheritance.ts';
import { addressId, addressOf, type Endpoint, endpointOf, endpointText, notUnicast } from './values.ts';

/** The service that real servers belong to. */
export interface ServerContext {
  /** services.NAME */
  path: Path;
  virtuals: readonly Virtual[];
  /** Undefined: the address is invalid. */
  family: Family | undefined;
  forward: Forward;
  check: RawCheckLayer | undefined;
  checks: readonly RawCheckLayer[];
  weight: number;
}

type ServerMap = Exclude<RawRealServer, string>;

/** The real servers of a service; invalid ones are reported and left out. */
export function resolveServers(
  raw: readonly RawRealServer[],
  around: ServerContext,
  context: Context,
): RealServerSpec[] {
  const result: RealServerSpec[] = [];
  const duplicates = new Duplicates(around.virtuals);
  const names = new Set<string>();
  const check = context.checks.resolve(around.check);
  const more = resolveMore(around.checks, context);
  for (const [index, server] of raw.entries()) {
    const path = () => [...around.path, 'real_servers', index];
    const endpoint = endpointFor(server, path, context);
    if (!endpoint) continue;
    const spec = specOf(server, endpoint, around, path, context, { check, more });
    if (duplicates.add(spec.address, spec.port))
      context.problems.report(path(), `found ${endpoint.text} twice in this service; allowed: once`);
    // Equal addresses were reported just now: only explicit names are checked.
    if (typeof server !== 'string' && server.name !== undefined) checkName(server.name, names, path, context);
    result.push(spec);
  }
  return result;
}

function checkName(name: string, names: Set<string>, path: () => Path, context: Context): void {
  const why = names.has(name)
    ? ' twice in this service; allowed: each once'
    : parseIpv4(name)
      ? ', which is an address; allowed: a name that is not an address'
      : undefined;
  names.add(name);
  if (why !== undefined) context.problems.report([...path(), 'name'], `found the name ${describe(name)}${why}`);
}

/** The sorry server of a service; undefined if it is invalid, which is reported. */
export function resolveSorry(
  raw: RawSorry,
  around: ServerContext,
  servers: readonly RealServerSpec[],
  context: Context,
): Sorry | undefined {
  const path = () => [...around.path, 'sorry_server'];
  const endpoint = endpointFor(raw, path, context);
  if (!endpoint) return undefined;
  const forward = forwardOf(typeof raw === 'string' ? undefined : raw.forward, around.forward, path, context);
  checkForward(endpoint, forward, around, path, context);
  const duplicates = new Duplicates(around.virtuals);
  for (const { address, port } of servers) duplicates.add(address, port);
  if (duplicates.add(endpoint.bytes, endpoint.port))
    context.problems.report(
      path(),
      `found ${endpoint.text}, which is a real server of this service; allowed: another server`,
    );
  const { family, bytes, port } = endpoint;
  return { family, address: bytes, port, forward };
}

function specOf(
  server: RawRealServer,
  endpoint: Endpoint,
  around: ServerContext,
  path: () => Path,
  context: Context,
  inherited: InheritedChecks,
): RealServerSpec {
  const { family, bytes: address, port, text } = endpoint;
  const own: Partial<ServerMap> = typeof server === 'string' ? {} : server;
  const forward = forwardOf(own.forward, around.forward, path, context);
  checkForward(endpoint, forward, around, path, context);
  const { upper = 0, lower = 0 } = own.thresholds ?? {};
  if (lower > upper) {
    const found = upper === 0 ? `found lower ${lower} without upper` : `found lower ${lower} above upper ${upper}`;
    context.problems.report([...path(), 'thresholds', 'lower'], `${found}; allowed: at most upper`);
  }
  const layer =
    own.check === undefined ? around.check : { raw: own.check, path: [...path(), 'check'], base: around.check };
  const check = own.check === undefined ? inherited.check : context.checks.resolve(layer);
  const moreChecks =
    own.checks === undefined
      ? inherited.more
      : resolveMore(
          own.checks.map((raw, index) => ({ raw, path: [...path(), 'checks', index], base: layer })),
          context,
        );
  if (check) checkTarget(check, endpoint, around, own.check === undefined ? path : () => [...path(), 'check'], context);
  for (const [index, one] of moreChecks.entries())
    checkTarget(one, endpoint, around, own.checks === undefined ? path : () => [...path(), 'checks', index], context);
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
    moreChecks,
  };
}

/** The checks of real servers without their own. */
interface InheritedChecks {
  check: Check | undefined;
  more: readonly Check[];
}

const NONE: readonly Check[] = [];

function resolveMore(layers: readonly RawCheckLayer[], { checks, problems }: Context): readonly Check[] {
  if (layers.length === 0) return NONE;
  return layers.flatMap((layer) => {
    if (layer.raw === 'none') problems.report(layer.path, 'found none in a list of checks; allowed: a check');
    return checks.resolve(layer) ?? [];
  });
}

function endpointFor(server: RawRealServer | RawSorry, path: () => Path, context: Context): Endpoint | undefined {
  const found = typeof server === 'string' ? endpointOf(server) : mapEndpoint(server);
  const why = typeof found === 'string' ? found : notUnicast(found);
  if (typeof found !== 'string' && why === undefined) return found;
  const text = typeof server === 'string' ? server : server.address;
  const sentence = typeof found === 'string' ? found : `found ${text}, ${why}; allowed: one that a host can have`;
  context.problems.report(typeof server === 'string' ? path() : [...path(), 'address'], sentence);
  return undefined;
}

function mapEndpoint({ address: text, port = 0 }: { address: string; port?: number }): Endpoint | string {
  const address = addressOf(text);
  if (typeof address === 'string') return address;
  const { family, bytes } = address;
  // An IPv4 address has only one spelling.
  const shown = family === AF_INET ? (port === 0 ? text : `${text}:${port}`) : endpointText(family, bytes, port);
  return { family, bytes, port, text: shown };
}

function forwardOf(own: RawForward | undefined, otherwise: Forward, path: () => Path, context: Context): Forward {
  if (own === undefined) return otherwise;
  return resolveForward(own, (key, text) => context.problems.report([...path(), 'forward', key], text));
}

/** Rejects combinations of address, port and method that the kernel does not support. */
function checkForward(to: Endpoint, forward: Forward, around: ServerContext, path: () => Path, context: Context): void {
  const { method } = forward;
  const report = (text: string) => context.problems.report(path(), `found ${to.text} ${text}`);
  if (around.family !== undefined && to.family !== around.family && method !== 'tunnel') {
    const family = around.family === AF_INET ? 'IPv4' : 'IPv6';
    report(`with ${method} in an ${family} service; allowed: ${family}, or tunnel, the only method between families`);
  }
  if (method === 'masquerade') return;
  if (method === 'fullnat') {
    const id = addressId(to.bytes);
    const pool = context.localPlaces.get(id)?.pool;
    const what = pool === undefined ? 'a virtual address' : `a local address of ${pool}`;
    if (pool !== undefined || context.virtualAddresses.has(id))
      report(`with fullnat, and it is ${what}; allowed: real servers on other hosts`);
    return;
  }
  const other = to.port === 0 ? undefined : around.virtuals.find(({ port }) => port !== to.port);
  if (!other) return;
  const port = other.fwmark === 0 && other.port !== 0 ? `${other.port}, the service's` : 'none';
  report(`with ${method}, which cannot change ports; allowed: ${port}`);
}

function checkTarget(check: Check, to: Endpoint, around: ServerContext, place: () => Path, context: Context): void {
  const port = check.port || to.port || (around.virtuals[0]?.port ?? 0);
  if (port === 0 && KINDS[check.type].needsPort && around.virtuals.length > 0)
    context.problems.report(
      place(),
      `found a ${check.type} check of ${to.text}, which has no port; allowed: with \`port\` in the check`,
    );
  if (check.bind === undefined) return;
  const probed = check.address ?? to.text;
  if (check.bind.includes(':') === (check.address === undefined ? to.family !== AF_INET : probed.includes(':'))) return;
  context.problems.report(
    place(),
    `found bind ${check.bind} for a check of ${probed}; allowed: an address of the same family`,
  );
}

/**
 * Finds servers with equal addresses and ports, which are one destination in the kernel. No port means the service's.
 */
class Duplicates {
  readonly #ports: ReadonlySet<number>;
  /** The port of the service; 0 if it has several. */
  readonly #defaultPort: number;
  readonly #seen = new Set<number | string>();
  /** Addresses of servers that name one of the service's several ports. */
  readonly #single = new Set<number | string>();

  constructor(virtuals: readonly Virtual[]) {
    this.#ports = new Set(virtuals.map(({ port }) => port));
    this.#defaultPort = this.#ports.size === 1 ? (virtuals[0]?.port ?? 0) : 0;
  }

  /** Returns true for a duplicate. */
  add(bytes: Uint8Array, port: number): boolean {
    const address = addressId(bytes);
    const effective = port || this.#defaultPort;
    const idOf = (of: number) => (typeof address === 'number' ? 65536 * address + of : `${address}${of}`);
    const id = idOf(effective);
    let duplicate = this.#seen.has(id);
    if (this.#ports.size > 1) {
      if (effective === 0) duplicate ||= this.#single.has(address);
      else if (this.#ports.has(effective)) {
        duplicate ||= this.#seen.has(idOf(0));
        this.#single.add(address);
      }
    }
    this.#seen.add(id);
    return duplicate;
  }
}
