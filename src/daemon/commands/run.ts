// SPDX-License-Identifier: MIT
/** `lvsd run`: creates the parts of the daemon, connects them, and runs until a signal. */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { steady } from '../../base/clock.ts';
import { errorLine } from '../../base/error-line.ts';
import { EXIT } from '../../base/errors.ts';
import { EventLoopLag } from '../../base/event-loop-lag.ts';
import { version } from '../../base/version.ts';
import { count } from '../../base/words.ts';
import type { Config } from '../../config/types.ts';
import { EventLog } from '../../control/events/log.ts';
import { ControlServer } from '../../control/server.ts';
import { HealthMonitor } from '../../health/monitor.ts';
import { handlers } from '../control/handlers.ts';
import { openReadOnly } from '../control/read-only.ts';
import { Reporter } from '../control/reporter.ts';
import { Sampler } from '../control/sampler.ts';
import { Daemon } from '../daemon.ts';
import { HookRunner } from '../hooks/hooks.ts';
import { Loader } from '../loader.ts';
import { DaemonLog } from '../log/log.ts';
import { releaseMemory } from '../memory.ts';
import { lockNamespace, type NamespaceLock } from '../namespace-lock.ts';
import { CookieSecret } from '../reconcile/cookie-secret.ts';
import { findObstacles, type Kernel, openKernel } from '../reconcile/kernel.ts';
import { KernelWatch } from '../reconcile/kernel-watch.ts';
import { Sysctls } from '../reconcile/sysctls.ts';
import { TableCache } from '../reconcile/table-cache.ts';
import { Notifier } from '../sd-notify.ts';
import { Signals } from '../signals.ts';
import { eventsDirectory, FileEventStore } from '../state/event-store.ts';
import { OverridesSaver } from '../state/overrides-saver.ts';
import { overridesPath, readSaved, reportNotes } from '../state/saved.ts';
import { StateSaver } from '../state/saver.ts';
import { savedOverrides } from '../state/snapshot.ts';
import { writeLastMessages } from '../state/vrrp-file.ts';
import { Vrrp } from '../vrrp.ts';
import type { Options } from './options.ts';

const NO_INIT =
  'lvsd is process 1: processes that programs of exec checks leave behind stay as zombies; run the container with --init';

/** Resolves with the exit status. Throws ConfigError and other errors that prevent a start. */
export async function run(options: Options): Promise<number> {
  const startedAt = steady();
  // Before an upgrade can replace the file.
  version();
  const loader = new Loader(options.file, options.node);
  const config = loader.read();
  const logs = new DaemonLog(config.log);
  const reporter = new Reporter((area) => logs.area(area), new EventLog());
  const kernel = openKernel();
  try {
    // Loads ip_vs if it is not loaded; throws if there is none.
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
  const { file } = loader;
  const { saved, notes } = await readSaved(options);
  reportNotes(notes, reporter);
  const overridesFile = overridesPath(options);
  const overridesSaver = new OverridesSaver({
    path: overridesFile,
    reporter,
    overrides: () => savedOverrides(daemon.runtime.overrides),
    ignored: notes.find(({ file }) => file === overridesFile)?.reason,
  });
  const notifier = new Notifier(logs.area('daemon'));
  const monitor = options.once
    ? undefined
    : new HealthMonitor({ concurrency: config.checkConcurrency, log: logs.area('health') });
  const states = () => (monitor ? monitor.states() : Promise.resolve(saved.health));
  const history = async (ids: readonly string[]) => (monitor ? await monitor.history(ids) : new Map());
  const saver = new StateSaver({
    path: options.state,
    reporter,
    daemon: () => daemon,
    states,
    health: saved.health,
    ignored: notes.some(({ file, level }) => file === options.state && level === 'warn'),
  });
  const hooks = monitor && new HookRunner(logs.area('daemon'));
  const cookieSecret = new CookieSecret(kernel.ipvs, reporter);
  const daemon: Daemon = new Daemon(config, {
    table: new TableCache(kernel),
    sysctls: new Sysctls(reporter, saved.sysctls),
    cookieSecret,
    writer: kernel,
    monitor,
    reporter,
    hooks,
    followQuorums: () => vrrp.followQuorums(),
    saveSoon: () => saver.request(),
    saveNow: () => saver.now(),
    saveOverrides: () => overridesSaver.save(),
    obstacles: (desired) => findObstacles(kernel, desired),
  });

  const vrrp: Vrrp = new Vrrp({
    runtime: daemon.runtime,
    states,
    reporter,
    log: logs.area('daemon'),
    onRole: (instance, master) => daemon.setMaster(instance, master),
    saveLastMessages: (messages) => writeLastMessages(options.state, messages),
  });
  const lag = new EventLoopLag();
  let started = false;
  let lock: NamespaceLock | undefined;
  // The socket comes first: it fails if another lvsd is running.
  const methods = handlers({
    daemon,
    kernel,
    health: states,
    history,
    inability: (id) => monitor?.inability(id),
    checksStop: () => monitor?.checksStop,
    fileProblems: () => [...overridesSaver.problems, ...saver.problems],
    vrrp,
    cookieSecret,
    loader,
    reporter,
    startedAt,
    sampler: new Sampler(kernel.reader),
    numbers: {
      monitor,
      hooks,
      lag,
      logLinesDropped: () => logs.dropped,
      controlClients: () => ({ control: control.clients, ...(readOnly && { read: readOnly.clients }) }),
    },
  });
  const { events } = reporter;
  const control: ControlServer = new ControlServer({
    path: options.socket,
    handlers: methods,
    events,
    log: logs.area('control'),
  });
  const readOnly: ControlServer | undefined = openReadOnly(options.socket, {
    handlers: methods,
    events,
    log: logs.area('control'),
  });
  try {
    lock = lockNamespace((text) => reporter.log('daemon', 'warn', text));
    const directory = config.events.directory ?? eventsDirectory(options.state);
    const onProblem = (text: string) => reporter.log('daemon', 'error', text);
    events.attach(new FileEventStore(directory, { keep: config.events.keep, onProblem }));
    reporter.daemon('daemon.starting', `starting lvsd ${version()} with ${file}`, { state: 'starting', file });
    for (const line of config.warnings) reporter.log('config', 'warn', line);
    if (process.pid === 1) reporter.log('daemon', 'warn', NO_INIT);
    const signals = new Signals((signal) => {
      reporter.log('daemon', 'warn', `received ${signal}, which has no effect: lvsctl status has the state`);
    });
    const first = await daemon.start(saved);
    started = true;
    const [operations, failed] = [first.done.length, first.failed.length];
    const counts = `${count(daemon.config.services.size, 'service')}, ${count(operations, 'operation')}, ${failed} failed`;
    if (!monitor) {
      await daemon.reconciler.stop();
      reporter.daemon('daemon.done', `done: ${counts}`, { state: 'stopped', operations, failed });
      return failed > 0 ? EXIT.RUNTIME : EXIT.OK;
    }
    // After the table: a virtual address must find its services.
    vrrp.configure(daemon.config);
    const watch = new KernelWatch(kernel, daemon, reporter);
    loader.onReload(async (next) => {
      logs.configure(next.log);
      monitor.concurrency = next.checkConcurrency;
      const result = await daemon.reload(next);
      watch.configure();
      vrrp.configure(next);
      setImmediate(releaseMemory);
      return result;
    }, reporter);
    reporter.daemon('daemon.ready', `ready: ${counts}`, { state: 'ready', operations, failed });
    notifier.ready(counts);
    setImmediate(releaseMemory);
    notifier.watch(() => (monitor.alive ? undefined : 'health checks have stopped'));
    signals.onReload(async () => {
      notifier.reloading();
      await loader.reload().catch(() => {});
      notifier.ready(count(daemon.config.services.size, 'service'));
    });
    const signal = await signals.end;
    reporter.daemon('daemon.stopping', `stopping: received ${signal}`, { state: 'stopping', reason: signal });
    notifier.stopping();
    watch.stop();
    // Independent of on_stop: addresses that stay would be on two nodes.
    await vrrp.stop();
    if (daemon.config.onStop === 'remove' && !isUpgrading(options)) await removeAll(daemon, reporter);
    else if (daemon.config.connectionSync?.follow !== undefined) await endSync(daemon, reporter);
    await daemon.reconciler.stop();
    return EXIT.OK;
  } finally {
    // After a failed start, the state file is more complete than the runtime state.
    if (started) await saver.close();
    await overridesSaver.close();
    control.close();
    readOnly?.close();
    hooks?.close();
    notifier.close();
    lag.close();
    await vrrp.stop();
    await monitor?.stop();
    events.close();
    lock?.close();
  }
}

/** Milliseconds after which the file of an upgrade is one of an upgrade that was killed. */
const LONGEST_UPGRADE = 10 * 60_000;

/** Whether the Debian package is restarting lvsd: it places this file, and the table stays as it is. */
function isUpgrading({ state }: Options): boolean {
  const found = statSync(join(dirname(state), 'upgrading'), { throwIfNoEntry: false });
  return (
    found !== undefined && found.uid === process.geteuid?.() && Math.abs(Date.now() - found.mtimeMs) < LONGEST_UPGRADE
  );
}

/** Without the role of a master this node must not send connections any more; it still receives those of the others. */
async function endSync(daemon: Daemon, reporter: Reporter): Promise<void> {
  try {
    await daemon.reconciler.run();
  } catch (error) {
    reporter.log('kernel', 'error', `cannot stop connection sync: ${errorLine(error)}`);
  }
}

async function removeAll(daemon: Daemon, reporter: Reporter): Promise<void> {
  try {
    const result = await daemon.removeAll();
    const [operations, failed] = [result.done.length, result.failed.length];
    reporter.daemon(
      'daemon.removed',
      `removed what lvsd had added (on_stop: remove): ${count(operations, 'operation')}, ${failed} failed`,
      {
        state: 'removed',
        operations,
        failed,
      },
    );
  } catch (error) {
    reporter.log('kernel', 'error', `cannot remove what lvsd added (on_stop: remove): ${errorLine(error)}`);
  }
}
