// SPDX-License-Identifier: MIT
/** `lvsctl metrics`: prints the metrics of the daemon as text for Prometheus. */
import { EXIT, type ExitCode, RefusedError } from '../../base/errors.ts';
import { printableJson } from '../../base/printable.ts';
import type { ControlClient } from '../client.ts';
import { DOWN_TEXT, metricsText } from '../metrics/text.ts';
import { type MetricsOptions, readMetricsOptions } from './metrics-options.ts';

/** Throws the client's errors. */
export async function printMetrics(
  client: ControlClient,
  options: MetricsOptions,
  json: boolean,
  out: (text: string) => void,
): Promise<ExitCode> {
  const { detail, groups, maxSeries } = readMetricsOptions(options);
  const stats = await client.stats(detail === undefined ? {} : { detail }).catch((error: unknown) => {
    // As with a daemon that is down: alerts need a sample.
    if (!json && !(error instanceof RefusedError)) out(DOWN_TEXT);
    throw error;
  });
  if (json) out(`${printableJson(stats, 2)}\n`);
  else for (const chunk of metricsText(stats, { detail, groups, maxSeries })) out(chunk);
  return EXIT.OK;
}
