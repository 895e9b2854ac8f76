// SPDX-License-Identifier: MIT
/** Writes metrics in Prometheus' text format 0.0.4, in chunks. Pure. */
import { FAMILIES, OWN_FAMILIES, WEB_FAMILIES } from './families.ts';
import { type Family, type Group, type Labels, TABLES } from './family.ts';
import { DETAILS, type Detail, type Row, type Stats } from './stats.ts';

export interface TextOptions {
  /** Default: as the configuration of the daemon says. */
  detail?: Detail | undefined;
  /** Only these groups; default: all. */
  groups?: readonly Group[] | undefined;
  /** With more series, the next lower detail is written. */
  maxSeries?: number | undefined;
}

/** Characters from which a chunk is complete. */
const CHUNK = 64 << 10;
const PREFIX = 'lvsd_';

/** The text of a daemon that does not answer. */
export const DOWN_TEXT = `${head('up', 'gauge', OWN_FAMILIES.up)}${PREFIX}up 0\n`;

/** What lvsd web adds at the end of a scrape of so many seconds. */
export function scrapeText(seconds: number): string {
  const text = head('scrape_duration_seconds', 'gauge', WEB_FAMILIES.scrape_duration_seconds);
  return `${text}${PREFIX}scrape_duration_seconds ${numberText(seconds)}\n`;
}

export function* metricsText(stats: Stats, options: TextOptions = {}): Generator<string> {
  const { defaults } = stats.summary;
  const { groups, maxSeries = defaults.maxSeries } = options;
  let detail = options.detail ?? defaults.detail;
  const selected = (level: Detail) =>
    FAMILIES.filter((family) => rank(family.level) <= rank(level) && (groups?.includes(family.group) ?? true));
  const count = (level: Detail) => selected(level).reduce((sum, family) => sum + seriesOf(family, stats), OWN_SERIES);
  const wanted = count(detail);
  let written = wanted;
  while (written > maxSeries && rank(detail) > 0) {
    detail = DETAILS[rank(detail) - 1] as Detail;
    written = count(detail);
  }
  let chunk = `${head('up', 'gauge', OWN_FAMILIES.up)}${PREFIX}up 1\n`;
  chunk += head('metrics_omitted_series', 'gauge', OWN_FAMILIES.metrics_omitted_series);
  chunk += `${PREFIX}metrics_omitted_series ${wanted - written}\n`;
  const labels = new RowLabels();
  for (const family of selected(detail)) {
    let first = true;
    for (const line of lines(family, stats, labels)) {
      if (first) chunk += head(family.name, family.type, family.help);
      first = false;
      chunk += line;
      if (chunk.length < CHUNK) continue;
      yield chunk;
      chunk = '';
    }
  }
  yield chunk;
}

const OWN_SERIES = Object.keys(OWN_FAMILIES).length;
const rank = (detail: Detail): number => DETAILS.indexOf(detail);

/** 5 -> '5', Infinity -> '+Inf'. */
export function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : 'NaN';
}

/** The value of a label, without its quotes. */
export const escaped = (text: string): string =>
  /[\\"\n]/.test(text) ? text.replace(/[\\"\n]/g, (one) => (one === '\n' ? '\\n' : `\\${one}`)) : text;

function head(name: string, type: string, help: string): string {
  const text = help.replace(/[\\\n]/g, (one) => (one === '\n' ? '\\n' : '\\\\'));
  return `# HELP ${PREFIX}${name} ${text}\n# TYPE ${PREFIX}${name} ${type}\n`;
}

const labelsText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',');

const sample = (name: string, labels: string, value: number): string =>
  `${PREFIX}${name}${labels === '' ? '' : `{${labels}}`} ${numberText(value)}\n`;

/** Labels of rows as text, made once for all families. */
class RowLabels {
  readonly #texts = new Map<Row, string>();

  of(table: keyof typeof TABLES, row: Row): string {
    let text = this.#texts.get(row);
    if (text === undefined) {
      const cells = Object.entries(TABLES[table]).map(([name, column]) => [name, `${row[column]}`]);
      text = labelsText(Object.fromEntries(cells));
      this.#texts.set(row, text);
    }
    return text;
  }
}

function* lines(family: Family, stats: Stats, labels: RowLabels): Generator<string> {
  const { name } = family;
  switch (family.table) {
    case 'summary':
      for (const [value, given = {}] of family.samples(stats.summary)) yield sample(name, labelsText(given), value);
      return;
    case 'histogram': {
      for (const [{ bounds, counts, count, sum }, given = {}] of family.histograms(stats.summary)) {
        const own = labelsText(given);
        const bucket = (bound: number) => `${own}${own && ','}le="${numberText(bound)}"`;
        for (const [index, bound] of bounds.entries())
          yield sample(`${name}_bucket`, bucket(bound), counts[index] ?? 0);
        yield sample(`${name}_bucket`, bucket(Number.POSITIVE_INFINITY), count);
        yield sample(`${name}_sum`, own, sum);
        yield sample(`${name}_count`, own, count);
      }
      return;
    }
    default:
      for (const row of stats[family.table]) {
        const value = family.value(row);
        if (value === undefined) continue;
        const more = family.more ? `,${labelsText(family.more(row))}` : '';
        yield sample(name, `${labels.of(family.table, row)}${more}`, value);
      }
  }
}

function seriesOf(family: Family, stats: Stats): number {
  switch (family.table) {
    case 'summary':
      return family.samples(stats.summary).length;
    case 'histogram':
      return family.histograms(stats.summary).reduce((sum, [{ bounds }]) => sum + bounds.length + 3, 0);
    default: {
      let count = 0;
      for (const row of stats[family.table]) if (family.value(row) !== undefined) count++;
      return count;
    }
  }
}
