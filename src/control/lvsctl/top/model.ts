// SPDX-License-Identifier: MIT
/** Numbers of `lvsctl top`: services and real servers with rates, by the difference of two readings. Pure. */
import {
  type Cell,
  LOCAL_ADDRESS_COLUMNS,
  REAL_SERVER_COLUMNS,
  type Row,
  SERVICE_COLUMNS,
  type Stats,
} from '../../metrics/stats.ts';
import { endpointText } from '../words.ts';

/** Rates kept for each service: with a reading every 5 s, those of 10 minutes. */
const HISTORY = 120;
/** Milliseconds; two answers with the same reading have the same counters. */
const SAME_READING = 100;

export type ServiceState = 'refused' | 'down' | 'sorry' | 'degraded' | 'up';
/** Worst first. */
export const STATES: readonly ServiceState[] = ['refused', 'down', 'sorry', 'degraded', 'up'];

export interface Rates {
  /** Per second; NaN: not known yet, for lack of a second reading. */
  connections: number;
  inBytes: number;
  outBytes: number;
}

export interface ServiceView extends Rates {
  key: string;
  name: string;
  virtual: string;
  state: ServiceState;
  realServers: number;
  realServersUp: number;
  active: number;
  inactive: number;
  /** Connections per second, oldest first. */
  history: readonly number[];
}

export interface ServerView extends Rates {
  name: string;
  /** Of its service. */
  virtual: string;
  /** "10.31.4.2:8443" */
  address: string;
  weight: number | undefined;
  configuredWeight: number;
  active: number;
  inactive: number;
}

export interface PoolView {
  name: string;
  ports: number;
  portsInUse: number;
  exhausted: number;
}

export interface View {
  services: readonly ServiceView[];
  /** Those of the open service. */
  servers: readonly ServerView[];
  pools: readonly PoolView[];
  realServers: Stats['summary']['realServers'];
  vrrp: Stats['summary']['vrrp'];
  startedAt: number;
  /** Seconds. */
  age: number;
}

const column = <C extends string>(columns: readonly C[], name: C) => columns.indexOf(name);
const S = (name: (typeof SERVICE_COLUMNS)[number]) => column(SERVICE_COLUMNS, name);
const R = (name: (typeof REAL_SERVER_COLUMNS)[number]) => column(REAL_SERVER_COLUMNS, name);
const L = (name: (typeof LOCAL_ADDRESS_COLUMNS)[number]) => column(LOCAL_ADDRESS_COLUMNS, name);

const text = (cell: Cell | undefined) => `${cell ?? ''}`;
const number = (cell: Cell | undefined) => (typeof cell === 'number' ? cell : 0);

interface Counters {
  /** Milliseconds, by the caller's clock. */
  at: number;
  values: ReadonlyMap<string, readonly [connections: number, inBytes: number, outBytes: number]>;
}

const UNKNOWN: Rates = { connections: Number.NaN, inBytes: Number.NaN, outBytes: Number.NaN };

/** Rates of one table. */
class RateTable {
  #last: Counters | undefined;
  #rates = new Map<string, Rates>();

  /** True: it was a new reading. */
  update({ at, values }: Counters): boolean {
    const last = this.#last;
    if (last && at - last.at < SAME_READING) return false;
    const seconds = last ? (at - last.at) / 1000 : Number.NaN;
    this.#rates = new Map(
      [...values].map(([key, now]) => {
        const before = last?.values.get(key);
        // A counter that fell began anew.
        const rate = (index: 0 | 1 | 2) => (before ? Math.max(0, now[index] - before[index]) / seconds : Number.NaN);
        return [key, { connections: rate(0), inBytes: rate(1), outBytes: rate(2) }];
      }),
    );
    this.#last = { at, values };
    return true;
  }

  of(key: string): Rates {
    return this.#rates.get(key) ?? UNKNOWN;
  }
}

export class Model {
  readonly #services = new RateTable();
  #servers = new RateTable();
  #opened: string | undefined;
  #history = new Map<string, number[]>();

  /** `now`: milliseconds of a monotonic clock; `opened`: the name of the service whose real servers `stats` has. */
  update(stats: Stats, now: number, opened: string | undefined): View {
    const { summary } = stats;
    const at = now - summary.table.age * 1000;
    const keyOf = (row: Row) => `${row[S('service')]} ${row[S('virtual')]}`;
    const serverKey = (row: Row) => `${row[R('virtual')]} ${row[R('realServer')]}`;
    const counters = (
      rows: readonly Row[],
      key: (row: Row) => string,
      of: (name: 'connections' | 'inBytes' | 'outBytes') => number,
    ) => ({
      at,
      values: new Map(
        rows.map((row) => [
          key(row),
          [number(row[of('connections')]), number(row[of('inBytes')]), number(row[of('outBytes')])] as const,
        ]),
      ),
    });
    if (this.#services.update(counters(stats.services, keyOf, S))) this.#keepHistory(stats.services.map(keyOf));
    if (opened !== this.#opened) {
      this.#servers = new RateTable();
      this.#opened = opened;
    }
    this.#servers.update(counters(stats.realServers, serverKey, R));
    return {
      services: stats.services.map((row) => ({ ...this.#service(row, keyOf(row)) })),
      servers: stats.realServers.map((row) => ({
        name: text(row[R('realServer')]),
        virtual: text(row[R('virtual')]),
        address: endpointText({ address: text(row[R('address')]), port: number(row[R('port')]) }),
        weight: row[R('weight')] === null ? undefined : number(row[R('weight')]),
        configuredWeight: number(row[R('configuredWeight')]),
        active: number(row[R('active')]),
        inactive: number(row[R('inactive')]),
        ...this.#servers.of(serverKey(row)),
      })),
      pools: pools(stats.localAddresses),
      realServers: summary.realServers,
      vrrp: summary.vrrp,
      startedAt: summary.processes[0]?.startedAt ?? 0,
      age: summary.table.age,
    };
  }

  #service(row: Row, key: string): ServiceView {
    return {
      key,
      name: text(row[S('service')]),
      virtual: text(row[S('virtual')]),
      state: stateOf(row),
      realServers: number(row[S('realServers')]),
      realServersUp: number(row[S('realServersUp')]),
      active: number(row[S('active')]),
      inactive: number(row[S('inactive')]),
      history: this.#history.get(key) ?? [],
      ...this.#services.of(key),
    };
  }

  #keepHistory(keys: readonly string[]): void {
    this.#history = new Map(
      keys.map((key) => [
        key,
        [...(this.#history.get(key) ?? []), this.#services.of(key).connections]
          .filter((one) => !Number.isNaN(one))
          .slice(-HISTORY),
      ]),
    );
  }
}

function stateOf(row: Row): ServiceState {
  if (row[S('refused')] === 1) return 'refused';
  if (row[S('sorry')] === 1) return 'sorry';
  if (row[S('quorumUp')] !== 1) return 'down';
  return number(row[S('realServersUp')]) < number(row[S('realServers')]) ? 'degraded' : 'up';
}

function pools(rows: readonly Row[]): PoolView[] {
  const sums = new Map<string, PoolView>();
  for (const row of rows) {
    const name = text(row[L('pool')]);
    const { ports, portsInUse, exhausted } = sums.get(name) ?? { ports: 0, portsInUse: 0, exhausted: 0 };
    sums.set(name, {
      name,
      ports: ports + number(row[L('ports')]),
      portsInUse: portsInUse + number(row[L('portsInUse')]),
      exhausted: exhausted + number(row[L('exhausted')]),
    });
  }
  return [...sums.values()];
}
