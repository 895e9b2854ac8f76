// SPDX-License-Identifier: MIT
/** The daemon's handlers of requests on the control socket. */
import { EXIT, LvsdError, UsageError } from '../../base/errors.ts';
import { version } from '../../base/version.ts';
import type { Handlers } from '../../control/server.ts';
import type { TargetState } from '../../health/types.ts';
import { serviceKeyText } from '../../ipvs/index.ts';
import { describe, difference, readActual } from '../../plan/index.ts';
import type { Daemon } from '../daemon.ts';
import type { Loader } from '../loader.ts';
import { desiredState } from '../model/desired-state.ts';
import { virtualServices } from '../model/virtual-services.ts';
import type { Kernel } from '../reconcile/kernel.ts';
import type { CycleResult } from '../reconcile/reconciler.ts';
import type { Reporter } from './reporter.ts';
import { serviceStatuses } from './status.ts';

export interface HandlerParts {
  daemon: Daemon;
  kernel: Kernel;
  /** Health states of all targets. */
  health: () => Promise<ReadonlyMap<string, TargetState>>;
  loader: Loader;
  reporter: Reporter;
  startedAt: number;
}

export function handlers({ daemon, kernel, health, loader, reporter, startedAt }: HandlerParts): Handlers {
  const override = async ({ service, server }: { service?: string; server: string }, on: boolean) => {
    const found = daemon.runtime.find(server, service);
    if (found.length === 0) {
      const where = service === undefined ? '' : ` in service ${service}`;
      throw new UsageError(`no real server ${server}${where} (lvsctl status lists them)`);
    }
    throwFailures(await daemon.override(found, on));
    return { servers: found.map((one) => `${one.service} ${one.server}`) };
  };
  return {
    ping: () => ({ version: version(), pid: process.pid, file: loader.file }),
    status: async ({ service }) => {
      if (service !== undefined && !daemon.config.services.has(service))
        throw new UsageError(`no service ${service} (lvsctl status lists them)`);
      const [actual, states] = await Promise.all([readActual(kernel.reader, kernel.addresses), health()]);
      const table = new Map(actual.services.map((one) => [serviceKeyText(one.service), one]));
      const sources = {
        runtime: daemon.runtime,
        health: states,
        failures: daemon.reconciler.backoff.failures,
        table: (key: string) => table.get(key),
      };
      return {
        version: version(),
        pid: process.pid,
        startedAt,
        file: loader.file,
        loadedAt: loader.loadedAt,
        reloadError: loader.error,
        paused: daemon.reconciler.paused,
        services: serviceStatuses(sources, service),
      };
    },
    plan: async () => {
      const config = loader.read();
      const preview = daemon.runtime.preview(virtualServices(config), Date.now());
      preview.updateQuorums();
      const actual = await readActual(kernel.reader, kernel.addresses);
      const { operations } = difference(desiredState(config, preview), actual, daemon.ownership);
      return { file: loader.file, lines: operations.map(describe) };
    },
    reload: async () => {
      const { done, failed } = await loader.reload();
      return { operations: done.length, failed: failed.map(({ text, error }) => `${text}: ${error}`) };
    },
    drain: (params) => override(params, true),
    undrain: (params) => override(params, false),
    pause: async ({ on }) => {
      daemon.reconciler.pause(on);
      if (on) reporter.daemon('paused by the operator: the kernel is not changed until lvsctl resume', PAUSED);
      else reporter.daemon('resumed by the operator', RESUMED);
      if (!on) throwFailures(await daemon.reconciler.run());
      return { paused: on };
    },
  };
}

const PAUSED = { state: 'paused', reason: 'operator' };
const RESUMED = { state: 'running', reason: 'operator' };

function throwFailures({ failed }: CycleResult): void {
  if (failed.length === 0) return;
  const lines = failed.map(({ text, error }) => `${text}: ${error}`);
  throw new LvsdError('ERR_LVSD_KERNEL_REFUSED', lines.join('\n'), EXIT.RUNTIME);
}
