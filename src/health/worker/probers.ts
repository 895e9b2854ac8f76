// SPDX-License-Identifier: MIT
/** Which checker makes the probes of a target. */
import { execProber } from '../exec/prober.ts';
import { httpProber } from '../http/prober.ts';
import { tcpProber } from '../tcp/prober.ts';
import type { Prepare } from '../verdict.ts';

export const prepare: Prepare = (target) => {
  const { check } = target;
  switch (check.type) {
    case 'tcp':
      return tcpProber(target);
    case 'http':
    case 'https':
      return httpProber({ ...target, check });
    case 'exec':
      return execProber({ ...target, check });
  }
};
