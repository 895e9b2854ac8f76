// SPDX-License-Identifier: MIT
/** `lvsadm diff FILE`: prints the changes that a restore of the file would make. */
import { EXIT } from '../../base/errors.ts';
import { describe, difference, toJson } from '../../plan/index.ts';
import type { Session } from '../session.ts';
import { readRules } from './file.ts';
import { type DaemonStep, daemonOptions, daemonSteps, desiredOf, readState } from './state.ts';

/** Returns 3 if there is a difference. Throws Fatal and KernelLacksError. */
export async function diff(path: string, json: boolean, session: Session): Promise<number> {
  const { table } = await readRules(path, session);
  const { ipvs } = await session.connect();
  if (table.needsFullnat) await ipvs.requireFeature('FULLNAT');
  if (table.needsSynProxy) await ipvs.requireFeature('SYNPROXY');
  if (table.needsDefence) await ipvs.requireFeature('DEFENCE');
  const state = await readState(ipvs);
  const { operations } = difference(desiredOf(table), state.actual, { all: true });
  const steps = daemonSteps(table, state);
  if (json) {
    const differences = [
      ...operations.map((operation) => ({ ...toJson(operation), service: undefined })),
      ...steps.map((step) => ({ op: 'set-daemon', ...daemonText(step) })),
    ];
    session.output.out(`${JSON.stringify({ differences })}\n`);
  } else {
    for (const { sign, text } of [...operations.map(describe), ...steps.map(daemonText)])
      session.output.out(`${sign} ${text}\n`);
  }
  return operations.length + steps.length > 0 ? EXIT.PLAN_NOT_EMPTY : EXIT.OK;
}

function daemonText({ name, from, to }: DaemonStep): { sign: '+' | '~' | '-'; text: string } {
  const settings = to ? ` ${daemonOptions(to)}` : '';
  return { sign: from ? (to ? '~' : '-') : '+', text: `${name} sync daemon${settings}` };
}
