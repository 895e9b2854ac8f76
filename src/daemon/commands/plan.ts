// SPDX-License-Identifier: MIT
/** `lvsd plan` and `lvsd apply`: by the running daemon if there is one, which knows the health of the real servers. */
import { resolve } from 'node:path';
import { errorLine } from '../../base/error-line.ts';
import { EXIT, LvsdError } from '../../base/errors.ts';
import { count } from '../../base/words.ts';
import { loadConfig } from '../../config/index.ts';
import { ControlClient, NoDaemonError } from '../../control/client.ts';
import type { PlanLine } from '../../control/messages.ts';
import { planText } from '../../control/plan-text.ts';
import { apply, describe } from '../../plan/index.ts';
import { openKernel } from '../reconcile/kernel.ts';
import { Offline } from './offline.ts';
import type { Options } from './options.ts';

/** Exit status 3 when there is a difference. */
export async function plan(options: Options): Promise<number> {
  // First, so that an invalid file is reported with or without a daemon.
  const config = read(options);
  const lines =
    (await daemonsPlan(options)) ??
    (await withKernel(async (kernel) => (await Offline.open(config, kernel, options.state)).plan())).operations.map(
      describe,
    );
  print(lines, options.json);
  return lines.length > 0 ? EXIT.PLAN_NOT_EMPTY : EXIT.OK;
}

export async function applyOnce(options: Options): Promise<number> {
  const config = read(options);
  const client = await daemon(options);
  if (client) {
    try {
      const { operations, failed } = await client.call('reload', {});
      for (const text of failed) process.stderr.write(`lvsd: ${text}\n`);
      if (options.json) process.stdout.write(`${JSON.stringify({ operations, failed }, null, 2)}\n`);
      else
        process.stdout.write(
          `the running lvsd reloaded the file: ${count(operations, 'operation')}, ${failed.length} failed\n`,
        );
      return failed.length > 0 ? EXIT.RUNTIME : EXIT.OK;
    } finally {
      client.close();
    }
  }
  return withKernel(async (kernel) => {
    const offline = await Offline.open(config, kernel, options.state);
    const { operations } = await offline.plan();
    await offline.saveOwnership();
    const results = await apply(operations, kernel);
    const rejected = results.flatMap(({ operation, error }) =>
      error === undefined || error === 'skipped'
        ? []
        : [{ text: `${describe(operation).text}: ${errorLine(error)}`, error }],
    );
    const failed = rejected.map(({ text }) => text);
    for (const text of failed) process.stderr.write(`lvsd: ${text}\n`);
    if (options.json) {
      const done = results.filter(({ error }) => error === undefined).map(({ operation }) => describe(operation));
      process.stdout.write(`${JSON.stringify({ done, failed }, null, 2)}\n`);
    } else {
      process.stdout.write(
        planText(results.filter(({ error }) => error === undefined).map(({ operation }) => describe(operation))),
      );
    }
    return exitFor(rejected.map(({ error }) => error));
  });
}

/** The exit code that all errors share, else RUNTIME. */
function exitFor(errors: readonly Error[]): number {
  const codes = new Set(errors.map((error) => (error instanceof LvsdError ? error.exitCode : EXIT.RUNTIME)));
  const [code = EXIT.OK, ...others] = codes;
  return others.length > 0 ? EXIT.RUNTIME : code;
}

const read = ({ file, node }: Options) => loadConfig(file, { trusted: true, ...(node === undefined ? {} : { node }) });

async function withKernel<T>(work: (kernel: ReturnType<typeof openKernel>) => Promise<T>): Promise<T> {
  const kernel = openKernel();
  try {
    return await work(kernel);
  } finally {
    kernel.close();
  }
}

/** Undefined if no daemon is running. */
async function daemonsPlan(options: Options): Promise<readonly PlanLine[] | undefined> {
  const client = await daemon(options);
  if (!client) return undefined;
  try {
    return (await client.call('plan', {})).lines;
  } finally {
    client.close();
  }
}

/** The daemon that runs this file; undefined if none is running. Throws if it runs another file: both would undo each other's changes. */
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

function print(lines: readonly PlanLine[], json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify({ lines }, null, 2)}\n` : planText(lines));
}
