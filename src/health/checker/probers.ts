// SPDX-License-Identifier: MIT
/** Which checker makes the probes of a target. */
import { tcpProber } from '../tcp/prober.ts';
import type { Prepare, Prober } from '../verdict.ts';

export const prepare: Prepare = (target): Prober => {
  switch (target.check.type) {
    case 'tcp':
      return tcpProber(target);
    default:
      throw new Error(`checks of type ${target.check.type} are not known`);
  }
};
