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
import { type Rates, RateTable, readingAt } from './rates.ts';

export type { Rates } from './rates.ts';

/** Rates kept for each service: with a reading every 5 s, those of 10 minutes. */
const HISTORY = 120;

export type ServiceState = 'refused' | 'down' | 'sorry' | 'degraded' | 'up';
/** Worst first. */
export const STATES: readonly ServiceState[] = ['refused', 'down', 'sorry', 'degraded', 'up'];

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

export class Model {
  readonly #services = new RateTable();
  #servers = new RateTable();
  #opened: string | undefined;
  #history = new Map<string, number[]>();
  readonly #keep: number;

  /** `keep`: rates kept for each service. */
  constructor(keep = HISTORY) {
    this.#keep = keep;
  }

  /** `opened`: the name of the service whose real servers `stats` has. */
  update(stats: Stats, opened: string | undefined): View {
    const { summary } = stats;
    const at = readingAt(summary);
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
    if (this.#keep === 0) return;
    this.#history = new Map(
      keys.map((key) => [
        key,
        [...(this.#history.get(key) ?? []), this.#services.of(key).connections]
          .filter((one) => !Number.isNaN(one))
          .slice(-this.#keep),
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
