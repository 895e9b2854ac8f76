// SPDX-License-Identifier: MIT
/** What the reconciler has counted since lvsd started, for metrics. */
import { steady } from '../../base/clock.ts';
import { DURATION_BOUNDS, HistogramCounts } from '../../base/histogram.ts';
import { Tally } from '../../base/tally.ts';
import type { DriftObject } from '../../plan/index.ts';
import type { Operation, OperationResult } from '../../plan/types.ts';

/** `partial`: an operation failed; `error`: the kernel could not be read or written. */
export type CycleOutcome = 'done' | 'partial' | 'error';

export class ReconcileCounts {
  /** By kind of operation and result. */
  readonly operations = new Tally();
  readonly durations = new HistogramCounts(DURATION_BOUNDS);
  readonly cycles: Record<CycleOutcome, number> = { done: 0, partial: 0, error: 0 };
  readonly drift: Record<DriftObject, number> = {
    service: 0,
    real_server: 0,
    local_address: 0,
    address: 0,
    timeouts: 0,
    sync: 0,
  };
  /** Operations of the last plan that were not done. */
  open = 0;
  /** End of the last cycle without an error, by `steady()`. */
  lastSuccess: number | undefined;

  operation(op: Operation['op'], error: OperationResult['error']): void {
    this.operations.add(op, error === undefined ? 'done' : error === 'skipped' ? 'skipped' : 'refused');
  }

  cycle(outcome: CycleOutcome, milliseconds: number): void {
    this.cycles[outcome]++;
    this.durations.observe(milliseconds / 1000);
    if (outcome === 'done') this.lastSuccess = steady();
  }

  drifted(objects: Partial<Record<DriftObject, number>>): void {
    for (const [object, count] of Object.entries(objects)) this.drift[object as DriftObject] += count;
  }
}
