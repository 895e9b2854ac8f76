// SPDX-License-Identifier: MIT
// The list of metrics in docs/metrics.md, from src/control/metrics/families.ts.
import { join } from 'node:path';
import { top } from './say.mjs';

export const metricsPage = join(top, 'docs/metrics.md');
const BEGIN = '<!-- the list: made by `npm run reference` from src/control/metrics/families.ts, not by hand -->';
const END = '<!-- end of the list -->';

/** @typedef {{ name: string, type: string, group: string, level: string, help: string, labels: readonly string[] }} Row */

/**
 * Returns the page with the list of these families.
 * @param {string} text
 * @param {readonly Row[]} families
 */
export function withFamilies(text, families) {
  const start = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (start < 0 || end < start) throw new Error(`${metricsPage} lacks the marks of its list`);
  const cells = (/** @type {string} */ word) => word.replaceAll('|', '\\|');
  const lines = families.map(
    ({ name, type, group, level, help, labels }) =>
      `| \`lvsd_${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${level} | \`${group}\` | ${cells(help)} |`,
  );
  const table = ['| name | type | labels | detail | group | |', '| --- | --- | --- | --- | --- | --- |', ...lines];
  return `${text.slice(0, start)}${BEGIN}\n\n${table.join('\n')}\n\n${text.slice(end)}`;
}
