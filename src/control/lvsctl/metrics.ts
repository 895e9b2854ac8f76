// SPDX-License-Identifier: MIT
/** `lvsctl metrics`: prints the metrics of the daemon as text for Prometheus. */
import { EXIT, type ExitCode } from '../../base/errors.ts';
import { printableJson } from '../../base/printable.ts';
import type { ControlClient } from '../client.ts';
import { metricsText } from '../metrics/text.ts';
import { type MetricsOptions, readMetricsOptions } from './metrics-options.ts';

/** Throws the client's errors. */
export async function printMetrics(
  client: ControlClient,
  options: MetricsOptions,
  json: boolean,
  out: (text: string) => void,
): Promise<ExitCode> {
  const { detail, groups, maxSeries } = readMetricsOptions(options);
  const stats = await client.stats(detail === undefined ? {} : { detail });
  if (json) out(`${printableJson(stats, 2)}\n`);
  else for (const chunk of metricsText(stats, { detail, groups, maxSeries })) out(chunk);
  return EXIT.OK;
}
