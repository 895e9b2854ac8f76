// SPDX-License-Identifier: MIT
/** Main function of the health worker: receives targets from the daemon, reports transitions, and exits with it. */
import { readFileSync } from 'node:fs';
import { execHelper } from '../exec/helper.ts';
import type { Target } from '../types.ts';
import { socketLimit } from './descriptors.ts';
import { type FromWorker, type Load, type StateRow, type ToWorker, toRow } from './messages.ts';
import { loadProbers } from './probers.ts';
import { ProbeRunner } from './runner.ts';

/** Milliseconds between heartbeats. */
const BEAT = 1000;
/** States per message. */
const ROWS = 200;
/** Maximum of simultaneous programs, each a process. */
const PROGRAMS = 32;

/** Serves the daemon over the IPC channel until it closes. */
export function serveHealth(): void {
  const send = (message: FromWorker): void => {
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  endWithParent(send);
  const ids = new Map<number, string>();
  /** Targets with results that the daemon does not know. */
  const changed = new Set<number>();
  /** The answer in progress, and how many targets it still has. */
  let answering = { request: -1, left: 0 };
  const transitions = new Batch<Transitions[number]>((list) => send({ type: 'transitions', list }));
  const progress = new Batch<StateRow>((rows) => send({ type: 'progress', rows }));
  const negotiated = new Batch<[number, number]>((rows) => send({ type: 'negotiated', rows }));
  const observes = offersAllOptions();
  const descriptors = socketLimit();
  const started = loadProbers().then(
    (prepare) =>
      new ProbeRunner<NumberedTarget>({
        concurrency: 1,
        programs: PROGRAMS,
        prepare,
        onTransition: ({ number }, { up, reason, code, at }, { last }) =>
          transitions.add({ number, up, reason, code, at, latency: last?.latency ?? 0 }),
        onResult: ({ number }) => changed.add(number),
        onProgress: ({ number }, state) => progress.add(toRow(number, state)),
        ...(observes
          ? { onNegotiated: ({ number }: NumberedTarget, value: number) => negotiated.add([number, value]) }
          : {}),
        onInability: ({ number }, inability) => send({ type: 'inability', number, inability }),
        onTrouble: (text) => send({ type: 'log', level: 'error', text }),
      }),
  );

  process.on('message', (message: ToWorker) => {
    void started.then((runner) => receive(runner, message));
  });

  function receive(runner: ProbeRunner<NumberedTarget>, message: ToWorker): void {
    if (message.type === 'snapshot') {
      sendChanged(runner, message.request);
      return;
    }
    if (message.type === 'history') {
      const list = message.numbers.flatMap((number) => {
        const history = runner.history(ids.get(number) ?? '');
        return history ? [{ number, history }] : [];
      });
      send({ type: 'history', request: message.request, list });
      return;
    }
    runner.concurrency = Math.min(message.concurrency, descriptors);
    for (const number of message.remove) {
      const id = ids.get(number);
      if (id === undefined) continue;
      ids.delete(number);
      changed.delete(number);
      runner.remove(id);
    }
    for (const { number, state, check: index, id, address, port, label } of message.add) {
      const check = message.checks[index];
      if (!check) continue;
      ids.set(number, id);
      runner.add({ number, id, address, port, check, initiallyUp: state.up, label }, state);
    }
  }

  /**
   * The daemon asks for the next part when it has read this one: neither is blocked by tens of thousands of states. An
   * answer ends with what had changed when its first part was asked for: results that come meanwhile are for the next one.
   */
  function sendChanged(runner: ProbeRunner<NumberedTarget>, request: number): void {
    if (answering.request !== request) answering = { request, left: changed.size };
    const rows: StateRow[] = [];
    let taken = 0;
    for (const number of changed) {
      if (taken >= Math.min(ROWS, answering.left)) break;
      taken++;
      changed.delete(number);
      const state = runner.state(ids.get(number) ?? '');
      if (state) rows.push(toRow(number, state));
    }
    answering.left -= taken;
    send({ type: 'states', request, rows, last: answering.left === 0 || changed.size === 0 });
  }

  void started.then((runner) => {
    const beat = (): void =>
      send({
        type: 'beat',
        load: runner.takeLoad() satisfies Load,
        counts: runner.counts.take(),
        lanes: runner.laneLoads,
        helper: execHelper.pid,
      });
    setInterval(beat, BEAT);
    beat();
  });
}

/** Whether this machine offers every option: what it does not offer, no real server agrees to. */
function offersAllOptions(): boolean {
  try {
    return ['tcp_timestamps', 'tcp_sack', 'tcp_window_scaling'].every(
      (name) => readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim() !== '0',
    );
  } catch {
    return false;
  }
}

interface NumberedTarget extends Target {
  /** The daemon's. */
  number: number;
}

type Transitions = Extract<FromWorker, { type: 'transitions' }>['list'];

/** Sends the items of one turn of the event loop as one message. */
class Batch<T> {
  readonly #out: (list: T[]) => void;
  #list: T[] = [];

  constructor(out: (list: T[]) => void) {
    this.#out = out;
  }

  add(item: T): void {
    if (this.#list.length === 0) setImmediate(() => this.#flush());
    this.#list.push(item);
  }

  #flush(): void {
    const list = this.#list;
    this.#list = [];
    this.#out(list);
  }
}

/** Exits when the daemon does, and not before: signals of terminals and init systems are for the daemon. */
function endWithParent(send: (message: FromWorker) => void): void {
  process.on('disconnect', () => process.exit(0));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
  // Failed connects are exceptions, thousands per second; their traces are not needed.
  Error.stackTraceLimit = 0;
  process.on('uncaughtException', (error) => {
    const text = error instanceof Error ? error.message : String(error);
    send({ type: 'log', level: 'error', text: `internal error in the health worker: ${text}` });
    setImmediate(() => process.exit(1));
  });
}
