// SPDX-License-Identifier: MIT
/** The content of the page at one moment, from answers of the daemon. Pure. */
import { type Model, type ServiceView, STATES, type View } from '../../control/lvsctl/top/model.ts';
import type { RateTable } from '../../control/lvsctl/top/rates.ts';
import { shown } from '../../control/lvsctl/top/screen.ts';
import { priorityText } from '../../control/lvsctl/vrrp.ts';
import { endpointText } from '../../control/lvsctl/words.ts';
import type { FailureStatus, Overview, RealServerStatus, ServiceStatus, VrrpStatus } from '../../control/messages.ts';
import {
  type Cell,
  LOCAL_ADDRESS_COLUMNS,
  REAL_SERVER_COLUMNS,
  type Row,
  SERVICE_COLUMNS,
  type Stats,
} from '../../control/metrics/stats.ts';
import { type History, point } from './history.ts';
import type {
  Detail,
  Head,
  LiveQuery,
  LocalAddressRow,
  Pool,
  Rows,
  ServerRow,
  ServiceRow,
  Side,
  VirtualRouter,
} from './messages.ts';

/** Answers of one moment. `opened`: for each open service its statuses, and rows of its real servers. */
export interface Answers {
  stats: Stats;
  /** When `stats` came, by a monotonic clock. */
  at: number;
  overview: Overview;
  vrrp: readonly VrrpStatus[];
  opened: ReadonlyMap<string, { services: readonly ServiceStatus[]; realServers: readonly Row[] }>;
}

/** Key of the sums of all services in the history. */
export const ALL = '';

/** Characters of a reason or an error. */
const LONGEST = 500;
/** Orders of services that are kept: as many as viewers at a time. */
const ORDERS = 20;
/** Failures that are sent, and changes of each. */
const FAILURES = 5;

const column = <C extends string>(columns: readonly C[]) =>
  Object.fromEntries(columns.map((name, index) => [name, index])) as Readonly<Record<C, number>>;
const S = column(SERVICE_COLUMNS);
const R = column(REAL_SERVER_COLUMNS);
const L = column(LOCAL_ADDRESS_COLUMNS);
const text = (cell: Cell | undefined) => `${cell ?? ''}`;
const number = (cell: Cell | undefined) => (typeof cell === 'number' ? cell : 0);
const orNull = (cell: Cell | undefined) => (typeof cell === 'number' ? cell : null);

const serverKey = (virtual: string, name: string) => `${virtual} ${name}`;

/** The counters of real servers, for a table of rates. */
export const serverCounters = (at: number, rows: readonly Row[]) => ({
  at,
  values: new Map(
    rows.map((row) => [
      serverKey(text(row[R.virtual]), text(row[R.realServer])),
      [number(row[R.connections]), number(row[R.inBytes]), number(row[R.outBytes])] as const,
    ]),
  ),
});

export class Snapshot {
  readonly view: View;
  readonly #answers: Answers;
  readonly #reasons: ReadonlyMap<string, string>;
  readonly #history: History;
  readonly #rates: ReadonlyMap<string, RateTable>;
  /** Services in the orders that viewers asked for. */
  readonly #orders = new Map<string, ServiceView[]>();

  /** `rates`: of the real servers of open services. */
  constructor(answers: Answers, model: Model, history: History, rates: ReadonlyMap<string, RateTable>) {
    this.view = model.update({ ...answers.stats, realServers: [] }, undefined);
    this.#answers = answers;
    this.#history = history;
    this.#rates = rates;
    this.#reasons = new Map(
      answers.overview.reasons.map(({ service, virtual, reason }) => [`${service} ${virtual}`, reason]),
    );
  }

  /** The rates of all services together, and of each. */
  rates(): ({ key: string } & Pick<ServiceView, 'connections' | 'inBytes' | 'outBytes'>)[] {
    const { services } = this.view;
    const known = services.filter(({ connections }) => !Number.isNaN(connections));
    const sum = (rate: 'connections' | 'inBytes' | 'outBytes') =>
      known.length === 0 ? Number.NaN : known.reduce((total, one) => total + one[rate], 0);
    const all = { key: ALL, connections: sum('connections'), inBytes: sum('inBytes'), outBytes: sum('outBytes') };
    return [all, ...services];
  }

  head(repaired: number): Head {
    const { overview, stats } = this.#answers;
    const { services, realServers: states } = this.view;
    const history = {
      connections: this.#history.of(ALL, 'connections'),
      traffic: sums(this.#history.of(ALL, 'inBytes'), this.#history.of(ALL, 'outBytes')),
    };
    const { overrides } = stats.summary;
    return {
      host: overview.host,
      version: overview.version,
      startedAt: overview.startedAt,
      file: overview.file,
      loadedAt: overview.loadedAt,
      reloadError: overview.reloadError,
      paused: overview.paused,
      checksStopped: overview.checks?.stopped?.reason,
      files: overview.files ?? [],
      services: services.length,
      bad: services.filter(({ state }) => state !== 'up').length,
      realServers: Object.values(states).reduce((sum, count) => sum + count, 0),
      down: states.down + states.disabled,
      draining: states.draining,
      unprobed: states.unprobed,
      connections: history.connections.at(-1) ?? null,
      traffic: history.traffic.at(-1) ?? null,
      active: services.reduce((sum, { active }) => sum + active, 0),
      readings: this.#history.count,
      history,
      refused: overview.failures?.length ?? 0,
      failures: (overview.failures ?? []).slice(0, FAILURES).map(shortFailure),
      overrides: overrides.drain + overrides.disable + overrides.up + overrides.weight,
      repaired,
    };
  }

  side(): Side {
    return { vrrp: this.#answers.vrrp.map(virtualRouter), pools: pools(this.#answers.stats.localAddresses) };
  }

  /** The rows of a window; beyond the last service the last ones. */
  rows({ search, sort, reverse, bad, from, count }: LiveQuery): Rows {
    // The search ignores case.
    const key = JSON.stringify([search.toLowerCase(), sort, reverse, bad]);
    const found = this.#orders.get(key) ?? shown(this.view.services, { search, sort, reverse, bad });
    // The last one that was used is the last to be forgotten.
    this.#orders.delete(key);
    this.#orders.set(key, found);
    const [oldest] = this.#orders.keys();
    if (this.#orders.size > ORDERS && oldest !== undefined) this.#orders.delete(oldest);
    const first = Math.max(0, Math.min(from, found.length - count));
    return { total: found.length, from: first, rows: found.slice(first, first + count).map((one) => this.#row(one)) };
  }

  #row({ key, name, virtual, state, realServers, realServersUp, active, ...rates }: ServiceView): ServiceRow {
    return {
      name,
      virtual,
      state,
      realServers,
      up: realServersUp,
      active,
      connections: point(rates.connections),
      in: point(rates.inBytes),
      out: point(rates.outBytes),
      why: this.#reasons.get(key) ?? '',
    };
  }

  /** Undefined: no service is open, or it is not known yet; null: there is none of this name. */
  detail({ open, at }: Pick<LiveQuery, 'open' | 'at'>): Detail | null | undefined {
    if (open === undefined) return undefined;
    const same = this.view.services
      .filter(({ name }) => name === open)
      .sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state));
    const service = same.find(({ virtual }) => virtual === at) ?? same[0];
    if (!service) return null;
    const { key, name, virtual, state } = service;
    const row = this.#answers.stats.services.find((one) => one[S.service] === name && one[S.virtual] === virtual) ?? [];
    const opened = this.#answers.opened.get(name);
    // Opened after this answer: the next one has its real servers.
    if (!opened) return undefined;
    const status = opened.services.find(({ virtuals }) => virtuals.includes(virtual));
    const pool = text(row[S.pool]);
    const history = (rate: 'connections' | 'inBytes' | 'outBytes') => this.#history.of(key, rate);
    return {
      key,
      name,
      virtual,
      state,
      pool,
      scheduler: text(row[S.scheduler]),
      forward: text(row[S.forward]),
      quorum: { needed: number(row[S.quorum]), weight: number(row[S.weight]), up: row[S.quorumUp] === 1 },
      sorry: row[S.sorry] === 1,
      error: status?.error?.slice(0, LONGEST),
      errorSince: status?.errorSince,
      others: same.filter((one) => one !== service).map((one) => one.virtual),
      realServers: (status?.realServers ?? []).map((one) => this.#server(name, virtual, one)),
      localAddresses: this.#answers.stats.localAddresses.filter((one) => one[L.pool] === pool).map(localAddress),
      history: {
        at: this.#history.at.map(Math.round),
        connections: history('connections'),
        in: history('inBytes'),
        out: history('outBytes'),
      },
    };
  }

  #server(service: string, virtual: string, status: RealServerStatus): ServerRow {
    const row =
      this.#answers.opened
        .get(service)
        ?.realServers.find((one) => one[R.virtual] === virtual && one[R.realServer] === status.name) ?? [];
    const rates = this.#rates.get(service)?.of(serverKey(virtual, status.name));
    const { name, state, override, overrides, since, latency, inability } = status;
    return {
      name,
      state,
      override,
      overrides,
      since,
      latency,
      inability,
      reason: status.reason?.slice(0, LONGEST),
      address: endpointText(status),
      weight: orNull(row[R.weight]),
      configuredWeight: status.weight,
      active: number(row[R.active]),
      inactive: number(row[R.inactive]),
      connections: point(rates?.connections ?? Number.NaN),
      in: point(rates?.inBytes ?? Number.NaN),
      out: point(rates?.outBytes ?? Number.NaN),
      checks: orNull(row[R.checks]),
      failures: orNull(row[R.failures]),
    };
  }
}

const shortFailure = ({ changes, ...rest }: FailureStatus): FailureStatus => ({
  ...rest,
  changes: changes
    .slice(0, FAILURES)
    .map(({ sign, text: of, reason }) => ({ sign, text: of.slice(0, LONGEST), reason: reason.slice(0, LONGEST) })),
});

const sums = (some: readonly (number | null)[], others: readonly (number | null)[]) =>
  some.map((one, index) => {
    const other = others[index] ?? null;
    return one === null || other === null ? null : point(one + other);
  });

function virtualRouter(one: VrrpStatus): VirtualRouter {
  const { name, state, since, reason, virtualRouterId, faults, addresses } = one;
  return {
    name,
    state,
    since,
    reason,
    interface: one.interface,
    virtualRouterId,
    priority: priorityText(one),
    faults,
    addresses: addresses.length,
  };
}

function localAddress(row: Row): LocalAddressRow {
  return {
    address: text(row[L.localAddress]),
    ports: number(row[L.ports]),
    portsInUse: number(row[L.portsInUse]),
    connections: number(row[L.connections]),
    draining: row[L.draining] === 1,
    exhausted: number(row[L.exhausted]),
    conflicts: number(row[L.conflicts]),
  };
}

function pools(rows: readonly Row[]): Pool[] {
  const found = new Map<string, Pool>();
  for (const row of rows) {
    const name = text(row[L.pool]);
    const { address, ports, portsInUse, exhausted } = localAddress(row);
    const pool = found.get(name) ?? {
      ...{ name, ports: 0, portsInUse: 0, exhausted: 0, addresses: 0, fullest: '', fullestShare: -1 },
    };
    found.set(name, pool);
    pool.ports += ports;
    pool.portsInUse += portsInUse;
    pool.exhausted += exhausted;
    pool.addresses++;
    const share = ports === 0 ? 0 : portsInUse / ports;
    if (share > pool.fullestShare) Object.assign(pool, { fullest: address, fullestShare: share });
  }
  return [...found.values()];
}
