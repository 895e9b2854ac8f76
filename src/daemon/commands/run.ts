// SPDX-License-Identifier: MIT
/** `lvsd run`: everything put together, from the first look at the file to the last line of the log. */
import { EXIT } from '../../base/errors.ts';
import { version } from '../../base/version.ts';
import type { Config } from '../../config/types.ts';
import { EventLog } from '../../control/event-log.ts';
import { ControlServer } from '../../control/server.ts';
import { HealthMonitor } from '../../health/monitor.ts';
import { handlers } from '../control/handlers.ts';
import { Reporter } from '../control/reporter.ts';
import { Daemon } from '../daemon.ts';
import { Loader } from '../loader.ts';
import { DaemonLog } from '../log/log.ts';
import { type Kernel, openKernel } from '../reconcile/kernel.ts';
import { KernelWatch } from '../reconcile/kernel-watch.ts';
import { lineOf } from '../reconcile/reconciler.ts';
import { KnownTable } from '../reconcile/table-cache.ts';
import { Notifier } from '../sd-notify.ts';
import { Signals } from '../signals.ts';
import { readState } from '../state/file.ts';
import { Saver } from '../state/saver.ts';
import { fromState, type Memory, NO_MEMORY } from '../state/snapshot.ts';
import type { Options } from './options.ts';

/** State older than this says nothing about real servers any more; milliseconds. */
const STATE_AGE = 15 * 60_000;

/** Resolves with the exit status when the daemon has ended. Throws ConfigError and what else keeps it from starting. */
export async function run(options: Options): Promise<number> {
  const startedAt = Date.now();
  const loader = new Loader(options.file, options.node);
  const config = loader.read();
  const logs = new DaemonLog(config.log);
  const reporter = new Reporter((area) => logs.area(area), new EventLog());
  const kernel = openKernel();
  try {
    // Says what is missing, and loads the module where it is not.
    await kernel.ipvs.features();
    return await serve({ options, config, loader, logs, reporter, kernel, startedAt });
  } finally {
    kernel.close();
    await logs.flush();
  }
}

interface Start {
  options: Options;
  config: Config;
  loader: Loader;
  logs: DaemonLog;
  reporter: Reporter;
  kernel: Kernel;
  startedAt: number;
}

async function serve({ options, config, loader, logs, reporter, kernel, startedAt }: Start): Promise<number> {
  const memory = await remembered(options.state, reporter);
  const manager = new Notifier(logs.area('daemon'));
  const monitor = options.once
    ? undefined
    : new HealthMonitor({ concurrency: config.checkConcurrency, log: logs.area('health') });
  const table = new KnownTable(kernel);
  const states = () => (monitor ? monitor.states() : Promise.resolve(memory.health));
  const saver = new Saver({
    ...{ path: options.state, reporter, daemon: () => daemon, health: memory.health },
    states,
  });
  const daemon: Daemon = new Daemon(config, {
    ...{ table, changer: kernel, monitor, reporter },
    saveSoon: () => saver.request(),
    saveNow: () => saver.now(),
  });

  let started = false;
  // First of all the socket: it shows that no other lvsd runs here.
  const control = new ControlServer({
    path: options.socket,
    handlers: handlers({ daemon, kernel, health: states, loader, reporter, startedAt }),
    events: reporter.events,
    log: logs.area('control'),
  });
  try {
    reporter.daemon(`lvsd ${version()} starts with ${loader.file}`);
    const signals = new Signals();
    const first = await daemon.start(memory);
    started = true;
    const count = `${daemon.config.services.size} services, ${first.done.length} operations, ${first.failed.length} failed`;
    if (!monitor) {
      await daemon.reconciler.stop();
      reporter.daemon(`done, once: ${count}`);
      return first.failed.length > 0 ? EXIT.RUNTIME : EXIT.OK;
    }
    const watch = new KernelWatch(kernel, daemon, reporter);
    loader.onReload(async (next) => {
      logs.configure(next.log);
      monitor.concurrency = next.checkConcurrency;
      const result = await daemon.reload(next);
      watch.configure();
      return result;
    }, reporter);
    reporter.daemon(`ready: ${count}`);
    manager.ready(count);
    manager.watch(() => (monitor.alive ? undefined : 'the checks stand still'));
    signals.onReload(async () => {
      manager.reloading();
      await loader.reload().catch(() => {});
      manager.ready(`${daemon.config.services.size} services`);
    });
    const signal = await signals.end;
    reporter.daemon(`${signal}: ending`);
    manager.stopping();
    watch.stop();
    if (daemon.config.onStop === 'remove') await removeAll(daemon, reporter);
    await daemon.reconciler.stop();
    return EXIT.OK;
  } finally {
    // What is on disk is worth more than what a start that failed knows.
    if (started) await saver.close();
    control.close();
    manager.close();
    await monitor?.stop();
  }
}

async function removeAll(daemon: Daemon, reporter: Reporter): Promise<void> {
  try {
    const { done, failed } = await daemon.removeAll();
    reporter.daemon(`on_stop: remove: ${done.length} operations, ${failed.length} failed`);
  } catch (error) {
    reporter.log('kernel', 'error', `cannot remove what lvsd made: ${lineOf(error)}`);
  }
}

async function remembered(path: string, reporter: Reporter): Promise<Memory> {
  const read = await readState(path, { maxAge: Number.POSITIVE_INFINITY });
  if (!read.state) {
    if (!read.missing) reporter.log('daemon', 'warn', `${path} is not used: ${read.reason}`);
    return NO_MEMORY;
  }
  const memory = fromState(read.state);
  if (read.age < STATE_AGE) return memory;
  // Whose the services are does not age, nor does the operator's word; what checks said does.
  const minutes = Math.round(read.age / 60_000);
  reporter.log('daemon', 'info', `${path} is ${minutes} minutes old: what it says of real servers is not used`);
  return { ...memory, health: new Map(), quorum: new Map() };
}
