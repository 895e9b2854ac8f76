// SPDX-License-Identifier: MIT
/** `lvsd plan` and `lvsd apply`: by the running daemon, which has the health states; without one, in this process. */
import { resolve } from 'node:path';
import { errorLine } from '../../base/error-line.ts';
import { EXIT, LvsdError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { count } from '../../base/words.ts';
import { type Config, loadConfig } from '../../config/index.ts';
import { ControlClient, NoDaemonError } from '../../control/client.ts';
import type { PlanObstacle } from '../../control/messages.ts';
import type { Result } from '../../control/methods.ts';
import { planExitCode, planNotes, planText } from '../../control/plan-text.ts';
import { apply, describe } from '../../plan/index.ts';
import { lockNamespace } from '../namespace-lock.ts';
import { type Kernel, openKernel } from '../reconcile/kernel.ts';
import { sysctlLine } from '../reconcile/sysctls.ts';
import { Offline } from './offline.ts';
import type { Options } from './options.ts';

/** Exit status 3 when there is a difference. */
export async function plan(options: Options): Promise<number> {
  // First, so that an invalid file is reported with or without a daemon.
  const config = read(options);
  const client = await daemon(options);
  const found = client ? await fromDaemon(client) : await withKernel((kernel) => fromKernel(config, kernel, options));
  const { lines, obstacles, paused } = found;
  process.stdout.write(options.json ? `${JSON.stringify({ lines, obstacles, paused }, null, 2)}\n` : planText(lines));
  for (const text of planNotes(found)) printError(text);
  return planExitCode(found);
}

async function fromDaemon(client: ControlClient): Promise<Result<'plan'>> {
  try {
    return await client.call('plan', {});
  } finally {
    client.close();
  }
}

/** Reports files of earlier runs that are not used: drains in them are not in effect. */
async function openOffline(config: Config, kernel: Kernel, options: Options): Promise<Offline> {
  const offline = await Offline.open(config, kernel, options);
  for (const { level, text } of offline.notes) if (level === 'warn') printError(text);
  return offline;
}

async function fromKernel(config: Config, kernel: Kernel, options: Options): Promise<Result<'plan'>> {
  const { plan, sysctls, obstacles } = await (await openOffline(config, kernel, options)).plan();
  const lines = [...plan.operations.map(describe), ...sysctls.map(sysctlLine)];
  return { file: options.file, lines, obstacles, paused: false };
}

const printError = (text: string) => process.stderr.write(`lvsd: ${printable(text)}\n`);

/** Reports what the kernel lacks, and that nothing was changed for that reason. Returns whether it lacks anything. */
function isImpossible(obstacles: readonly PlanObstacle[], json: boolean): boolean {
  const lacks = obstacles.filter(({ kernel }) => kernel).map(({ text }) => text);
  if (lacks.length === 0) return false;
  for (const text of lacks) printError(`nothing was changed: ${text}`);
  if (json) process.stdout.write(`${JSON.stringify({ done: [], failed: lacks }, null, 2)}\n`);
  return true;
}

/** Returns the exit status. Throws ConfigError, LvsdError and NetlinkError before the first change. */
export async function applyOnce(options: Options): Promise<number> {
  const config = read(options);
  const client = await daemon(options);
  if (client) {
    try {
      if (isImpossible((await client.call('plan', {})).obstacles ?? [], options.json)) return EXIT.KERNEL_LACKS;
      const { operations, failed, paused } = await client.call('reload', {});
      for (const text of failed) printError(text);
      if (paused) printError('accepted, but lvsd is paused: nothing is written to the kernel until lvsctl resume');
      if (options.json) process.stdout.write(`${JSON.stringify({ operations, failed }, null, 2)}\n`);
      else
        process.stdout.write(
          `the running lvsd reloaded the file: ${count(operations, 'operation')}, ${failed.length} failed\n`,
        );
      return failed.length > 0 || paused ? EXIT.RUNTIME : EXIT.OK;
    } finally {
      client.close();
    }
  }
  const lock = lockNamespace(printError);
  return withKernel(async (kernel) => {
    const offline = await openOffline(config, kernel, options);
    const {
      plan: { operations },
      obstacles,
    } = await offline.plan();
    if (isImpossible(obstacles, options.json)) return EXIT.KERNEL_LACKS;
    await offline.saveOwnership();
    const results = await apply(operations, kernel);
    const sysctls = await offline.setSysctls();
    const secret = await offline.setCookieSecret();
    const rejected = results.flatMap(({ operation, error }) =>
      error === undefined || error === 'skipped'
        ? []
        : [{ text: `${describe(operation).text}: ${errorLine(error)}`, error }],
    );
    const failed = [...rejected.map(({ text }) => text), ...sysctls.failed, ...secret.failed];
    for (const text of failed) printError(text);
    const operationsDone = results.filter(({ error }) => error === undefined);
    const done = [
      ...operationsDone.map(({ operation }) => describe(operation)),
      ...sysctls.done.map(sysctlLine),
      ...secret.done,
    ];
    process.stdout.write(options.json ? `${JSON.stringify({ done, failed }, null, 2)}\n` : planText(done));
    const status = exitFor(rejected.map(({ error }) => error));
    return status === EXIT.OK && sysctls.failed.length + secret.failed.length > 0 ? EXIT.RUNTIME : status;
  }).finally(() => lock.close());
}

/** The exit code that all errors share, else RUNTIME. */
function exitFor(errors: readonly Error[]): number {
  const codes = new Set(errors.map((error) => (error instanceof LvsdError ? error.exitCode : EXIT.RUNTIME)));
  const [code = EXIT.OK, ...others] = codes;
  return others.length > 0 ? EXIT.RUNTIME : code;
}

const read = ({ file, node }: Options) =>
  loadConfig(file, { trusted: true, ...(node === undefined ? {} : { node, requireNode: true }) });

async function withKernel<T>(work: (kernel: ReturnType<typeof openKernel>) => Promise<T>): Promise<T> {
  const kernel = openKernel();
  try {
    return await work(kernel);
  } finally {
    kernel.close();
  }
}

/**
 * The daemon that runs this file; undefined if none is running. Throws if it runs another file: both would undo each
 * other's changes.
 */
async function daemon({ socket, file }: Options): Promise<ControlClient | undefined> {
  let client: ControlClient;
  try {
    client = await ControlClient.open(socket);
  } catch (error) {
    if (error instanceof NoDaemonError) return undefined;
    throw error;
  }
  const { file: theirs } = await client.call('ping', {});
  if (theirs === resolve(file)) return client;
  client.close();
  throw new LvsdError(
    'ERR_LVSD_OTHER_FILE',
    `the lvsd at ${socket} runs another file, ${theirs}: pass -f ${theirs}, or another --socket`,
    EXIT.USAGE,
  );
}
