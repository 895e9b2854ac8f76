// SPDX-License-Identifier: MIT
/**
 * Runs hooks: programs that are started at changes of real servers and quorums. Those of a service run one at a time, in
 * order; at most 16 run at a time in all. An exec helper runs them, and the daemon never waits for them.
 */
import { formatAddress } from '../../base/addresses.ts';
import { formatDuration } from '../../base/durations.ts';
import { DURATION_BOUNDS, HistogramCounts } from '../../base/histogram.ts';
import type { Log } from '../../base/log.ts';
import { ENDED, execHelper, type RunningProgram } from '../../health/exec/helper.ts';
import type { Run } from '../../health/exec/messages.ts';
import type { Transition } from '../../health/types.ts';
import type { Verdict } from '../../health/verdict.ts';
import { serviceText } from '../../plan/texts.ts';
import { quorumMessage, serverMessage } from '../control/messages.ts';
import type { QuorumChange } from '../model/runtime-state.ts';
import type { RealServer, VirtualService } from '../model/virtual-services.ts';
import { type HookEvent, HookQueue } from './queue.ts';

/** Programs at a time. */
const CONCURRENCY = 16;
/** Milliseconds between SIGTERM and SIGKILL. */
const KILL_DELAY = 2000;
/** Attempts while the exec helper ends before the program does, and milliseconds between them. */
const ATTEMPTS = 5;
const PAUSE = 1500;

export type RunProgram = (run: Run, ended: (verdict: Verdict) => void) => RunningProgram;

interface ServiceHooks {
  queue: HookQueue;
  running: boolean;
}

export class HookRunner {
  readonly #log: Log;
  readonly #run: RunProgram;
  /** By the name of the service. */
  readonly #services = new Map<string, ServiceHooks>();
  readonly #programs = new Set<RunningProgram>();
  /** Runs by result; `lost`: the exec helper ended before the program did. */
  readonly runs = { done: 0, failed: 0, timeout: 0, lost: 0 };
  readonly durations = new HistogramCounts(DURATION_BOUNDS);
  #running = 0;
  #closed = false;

  constructor(log: Log, run: RunProgram = (program, ended) => execHelper.run(program, ended)) {
    this.#log = log;
    this.#run = run;
  }

  server(service: VirtualService, server: RealServer, transition: Transition): void {
    const { hooks, name } = service.spec;
    const command = transition.up ? hooks?.up : hooks?.down;
    if (!hooks || !command) return;
    const { fields } = serverMessage(service, server, transition);
    const { virtual = '', address = '', state = '', reason = '' } = fields;
    this.#add(name, {
      subject: `${virtual} ${address}`,
      command,
      user: hooks.user,
      timeout: hooks.timeout,
      label: `${state} of ${server.spec.name}`,
      environment: {
        ...facts('server', service, state, reason),
        LVSD_SERVER: server.spec.name,
        LVSD_ADDRESS: formatAddress(server.destination.family, server.destination.address),
        LVSD_PORT: String(server.destination.port),
        LVSD_SERVER_WEIGHT: String(server.destination.weight),
      },
    });
  }

  quorum(change: QuorumChange): void {
    const { service, up } = change;
    const { hooks, name } = service.spec;
    if (!hooks?.quorum) return;
    const { fields } = quorumMessage(change);
    this.#add(name, {
      subject: fields.virtual ?? '',
      command: hooks.quorum,
      user: hooks.user,
      timeout: hooks.timeout,
      label: `quorum ${up ? 'up' : 'down'}`,
      environment: {
        ...facts('quorum', service, up ? 'up' : 'down', fields.reason ?? ''),
        LVSD_WEIGHT: String(change.weight),
        LVSD_NEEDED: String(fields.needed ?? ''),
      },
    });
  }

  /** Stops running programs and drops waiting events. */
  close(): void {
    this.#closed = true;
    const waiting = [...this.#services.values()].reduce((sum, { queue }) => sum + queue.length, 0);
    if (waiting + this.#running > 0)
      this.#log.warn(`stopping: running hooks stopped: ${this.#running}, waiting hooks dropped: ${waiting}`);
    for (const program of this.#programs) program.stop();
  }

  #add(name: string, event: HookEvent): void {
    if (this.#closed) return;
    const service = this.#services.get(name) ?? { queue: new HookQueue(), running: false };
    this.#services.set(name, service);
    service.queue.add(event);
    this.#next();
  }

  /** Starts what may run: services in the order in which they got their first event. */
  #next(): void {
    for (const [name, service] of this.#services) {
      if (this.#closed || this.#running >= CONCURRENCY) return;
      if (service.running) continue;
      const next = service.queue.take();
      if (!next) {
        this.#services.delete(name);
        continue;
      }
      service.running = true;
      this.#running++;
      const environment = { ...next.event.environment, LVSD_SKIPPED: String(next.skipped) };
      this.#start(name, { ...next.event, environment }, 1, () => {
        service.running = false;
        this.#running--;
        // Moves this service behind all others.
        this.#services.delete(name);
        this.#services.set(name, service);
        this.#next();
      });
    }
  }

  #count(result: keyof HookRunner['runs'], milliseconds: number): void {
    this.runs[result]++;
    this.durations.observe(milliseconds / 1000);
  }

  #start(name: string, event: HookEvent, attempt: number, done: () => void): void {
    const { command, user, environment, timeout, label } = event;
    const startedAt = performance.now();
    let late = false;
    let program: RunningProgram | undefined;
    const ended = (verdict: Verdict): void => {
      clearTimeout(timer);
      if (program) this.#programs.delete(program);
      over = true;
      if (verdict === ENDED && attempt < ATTEMPTS && !this.#closed) {
        setTimeout(() => (this.#closed ? done() : this.#start(name, event, attempt + 1, done)), PAUSE);
        return;
      }
      this.#count(late ? 'timeout' : RESULTS[verdict.outcome], performance.now() - startedAt);
      const line = `${name}: hook for ${label} (${command[0]})`;
      if (late) this.#log.warn(`${line}: stopped after its timeout of ${formatDuration(timeout)}`);
      else if (verdict.outcome === 'success') this.#log.debug(`${line}: ${verdict.reason}`);
      else this.#log.warn(`${line}: ${verdict.reason}`);
      done();
    };
    let over = false;
    const timer = setTimeout(() => {
      late = true;
      program?.stop();
    }, timeout);
    program = this.#run({ command, user, environment, killDelay: KILL_DELAY }, ended);
    if (!over) this.#programs.add(program);
  }
}

const RESULTS = { success: 'done', failure: 'failed', inconclusive: 'lost' } as const;

function facts(event: 'server' | 'quorum', service: VirtualService, state: string, reason: string) {
  const { config, spec } = service;
  return {
    LVSD_EVENT: event,
    LVSD_STATE: state,
    LVSD_SERVICE: spec.name,
    LVSD_VIRTUAL: serviceText(config),
    // An environment variable cannot contain a zero byte.
    LVSD_REASON: reason.replaceAll('\0', ''),
    LVSD_TIME: new Date().toISOString(),
  };
}
