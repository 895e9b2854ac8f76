// SPDX-License-Identifier: MIT
/** What the daemon does for each request on the control socket. */
import { EXIT, LvsdError, UsageError } from '../../base/errors.ts';
import { version } from '../../base/version.ts';
import type { Handlers } from '../../control/server.ts';
import type { TargetState } from '../../health/types.ts';
import { serviceKeyText } from '../../ipvs/index.ts';
import { describe, difference, readActual } from '../../plan/index.ts';
import type { Daemon } from '../daemon.ts';
import type { Loader } from '../loader.ts';
import { desired } from '../model/desired-state.ts';
import { roster } from '../model/virtual-services.ts';
import type { Kernel } from '../reconcile/kernel.ts';
import type { CycleResult } from '../reconcile/reconciler.ts';
import type { Reporter } from './reporter.ts';
import { serviceStatuses } from './status.ts';

export interface HandlerParts {
  daemon: Daemon;
  kernel: Kernel;
  /** What checks say of every target. */
  health: () => Promise<ReadonlyMap<string, TargetState>>;
  loader: Loader;
  reporter: Reporter;
  startedAt: number;
}

export function handlers({ daemon, kernel, health, loader, reporter, startedAt }: HandlerParts): Handlers {
  const override = async ({ service, server }: { service?: string; server: string }, on: boolean) => {
    const found = daemon.situation.find(server, service);
    if (found.length === 0)
      throw new UsageError(`no real server ${server}${service === undefined ? '' : ` in service ${service}`}`);
    throwFailures(await daemon.override(found, on));
    return { servers: found.map((one) => `${one.service} ${one.server}`) };
  };
  return {
    ping: () => ({ version: version(), pid: process.pid, file: loader.file }),
    status: async ({ service }) => {
      if (service !== undefined && !daemon.config.services.has(service)) throw new UsageError(`no service ${service}`);
      const [actual, states] = await Promise.all([readActual(kernel.lookout, kernel.addresses), health()]);
      const table = new Map(actual.services.map((one) => [serviceKeyText(one.service), one]));
      const sources = {
        ...{ situation: daemon.situation, health: states, failures: daemon.reconciler.backoff.failures },
        table: (key: string) => table.get(key),
      };
      return {
        ...{ version: version(), pid: process.pid, startedAt, file: loader.file, loadedAt: loader.loadedAt },
        ...{ reloadError: loader.error, paused: daemon.reconciler.paused },
        services: serviceStatuses(sources, service),
      };
    },
    plan: async () => {
      const config = loader.read();
      const preview = daemon.situation.preview(roster(config), Date.now());
      preview.settleQuorums();
      const actual = await readActual(kernel.lookout, kernel.addresses);
      const { operations } = difference(desired(config, preview), actual, daemon.ownership);
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
      reporter.daemon(on ? 'paused by the operator: nothing is written to the kernel' : 'resumed by the operator');
      if (!on) throwFailures(await daemon.reconciler.run());
      return { paused: on };
    },
  };
}

function throwFailures({ failed }: CycleResult): void {
  if (failed.length === 0) return;
  const lines = failed.map(({ text, error }) => `${text}: ${error}`);
  throw new LvsdError('ERR_LVSD_KERNEL_REFUSED', lines.join('\n'), EXIT.RUNTIME);
}
