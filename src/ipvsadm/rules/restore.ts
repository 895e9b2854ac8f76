// SPDX-License-Identifier: MIT
/**
 * `lvsadm restore --atomic FILE`: makes the table match the file with the fewest changes, or leaves it unchanged. Services
 * are deleted last, after everything else has succeeded; on an error the changes are rolled back.
 */
import { EXIT, KernelLacksError, LvsdError } from '../../base/errors.ts';
import type { Ipvs } from '../../ipvs/index.ts';
import {
  apply,
  describe,
  difference,
  type KernelWriter,
  type Operation,
  type OperationResult,
} from '../../plan/index.ts';
import type { Connected, Session } from '../session.ts';
import { readRules } from './file.ts';
import { type DaemonStep, daemonSteps, desiredFromActual, desiredOf, readState, type State } from './state.ts';
import type { RuleTable } from './table.ts';

interface Failure {
  line: number | undefined;
  /** The operation that failed. */
  text: string;
  error: Error;
}

/** Throws Fatal and KernelLacksError before the first change. */
export async function restoreAtomically(path: string, session: Session): Promise<number> {
  const { name, table } = await readRules(path, session, '\nnothing was changed');
  const connected = await session.connect();
  const { ipvs } = connected;
  if (table.needsFullnat) await ipvs.requireFeature('FULLNAT');
  if (table.needsSynProxy) await ipvs.requireFeature('SYNPROXY');
  if (table.needsDefence) await ipvs.requireFeature('DEFENCE');
  const before = await readState(ipvs);
  const { operations, waiting } = difference(desiredOf(table), before.actual, { all: true });
  const failures = await applyInStages(operations, daemonSteps(table, before), table, ipvs);
  const { output } = session;
  if (failures.length === 0) {
    for (const { address, connections } of waiting)
      output.err(`local address ${address.join('.')} drains ${connections} connections before it is deleted\n`);
    return EXIT.OK;
  }
  const left = await rollBack(before, connected);
  for (const { line, text, error } of failures)
    output.err(`${name}${line === undefined ? '' : `:${line}`}: ${text}: ${error.message}\n`);
  output.err(left === 0 ? 'nothing was changed\n' : `${left} changes could not be undone: see lvsadm -L\n`);
  const lacks = failures.find(({ error }) => error instanceof KernelLacksError)?.error;
  return lacks instanceof KernelLacksError ? lacks.exitCode : EXIT.RUNTIME;
}

/** Stops after the first stage with a failure. */
async function applyInStages(
  operations: readonly Operation[],
  steps: readonly DaemonStep[],
  table: RuleTable,
  ipvs: Ipvs,
): Promise<Failure[]> {
  const deletions = operations.filter(({ op }) => op === 'delete-service');
  const first = await failuresOf(
    operations.filter(({ op }) => op !== 'delete-service'),
    table,
    ipvs,
  );
  if (first.length > 0) return first;
  for (const step of steps) {
    try {
      await setDaemon(step, ipvs);
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      return [{ line: undefined, text: `${step.name} sync daemon`, error }];
    }
  }
  return failuresOf(deletions, table, ipvs);
}

async function failuresOf(operations: readonly Operation[], table: RuleTable, ipvs: Ipvs): Promise<Failure[]> {
  const results = await apply(operations, kernelWriter(ipvs));
  return results.flatMap(({ operation, error }) => {
    // Skipped operations depend on a failed one, which is reported.
    if (!error || error === 'skipped') return [];
    return [{ line: lineOf(operation, table), text: describe(operation).text, error }];
  });
}

function lineOf(operation: Operation, table: RuleTable): number | undefined {
  if (!('service' in operation)) return undefined;
  if ('destination' in operation) return table.lineOf(operation.service, operation.destination);
  if ('address' in operation) return table.lineOf(operation.service, { address: operation.address });
  return table.lineOf(operation.service);
}

/** Returns the number of changes that could not be undone. */
async function rollBack(before: State, { ipvs }: Connected): Promise<number> {
  const now = await readState(ipvs);
  const { operations } = difference(desiredFromActual(before.actual), now.actual, { all: true });
  const results: OperationResult[] = await apply(operations, kernelWriter(ipvs));
  let left = results.filter(({ error }) => error !== undefined).length;
  for (const name of ['master', 'backup'] as const) {
    const [from, to] = [now.daemons.get(name), before.daemons.get(name)];
    if (JSON.stringify(from) === JSON.stringify(to)) continue;
    await setDaemon({ name, from, to }, ipvs).catch(() => left++);
  }
  return left;
}

async function setDaemon({ from, to }: DaemonStep, ipvs: Ipvs): Promise<void> {
  if (from) await ipvs.stopDaemon(from);
  if (to) await ipvs.startDaemon(to);
}

/** Without addresses of devices: rules do not change them. */
function kernelWriter(ipvs: Ipvs): KernelWriter {
  const never = () => Promise.reject(new TypeError('a rule does not change addresses of devices'));
  return { ipvs, addresses: { add: never, delete: never } };
}
