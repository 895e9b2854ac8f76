// SPDX-License-Identifier: MIT
// The text of metrics: its format, by a parser of this test and by promtool; names, which are
// frozen; detail, groups and bounds.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { FAMILIES } from '../../../src/control/metrics/families.ts';
import { DETAILS, SERVICE_COLUMNS } from '../../../src/control/metrics/stats.ts';
import { DOWN_TEXT, escaped, metricsText, numberText, type TextOptions } from '../../../src/control/metrics/text.ts';
import { prometheus } from '../../support/prometheus.ts';
import { STATS, server } from './stats.ts';

const textOf = (stats = STATS, options: TextOptions = {}) => [...metricsText(stats, options)].join('');

interface Parsed {
  types: Map<string, string>;
  /** By the name with its labels, in the order of the text. */
  samples: Map<string, number>;
}

/** A parser of its own: character by character, as the format's description says. */
function parse(text: string): Parsed {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  assert.ok(text.endsWith('\n'));
  for (const line of text.slice(0, -1).split('\n')) {
    if (line.startsWith('#')) {
      const [, kind, name = '', ...rest] = line.split(' ');
      assert.ok(kind === 'HELP' || kind === 'TYPE', line);
      if (kind === 'TYPE') {
        assert.ok(!types.has(name), `${name} has two heads`);
        types.set(name, rest.join(' '));
      }
      continue;
    }
    let at = line.search(/[{ ]/);
    const name = line.slice(0, at);
    assert.match(name, /^lvsd_[a-z0-9_]+$/);
    const labels: [string, string][] = [];
    if (line[at] === '{')
      do {
        const equals = line.indexOf('="', ++at);
        const label = line.slice(at, equals);
        assert.match(label, /^[a-z_][a-z0-9_]*$/);
        let value = '';
        for (at = equals + 2; line[at] !== '"'; at++) {
          if (line[at] === '\\') value += line[++at] === 'n' ? '\n' : line[at];
          else value += line[at];
          assert.ok(at < line.length);
        }
        labels.push([label, value]);
      } while (line[++at] === ',');
    if (labels.length > 0) assert.equal(line[at++], '}');
    assert.equal(line[at], ' ', line);
    const series = JSON.stringify([name, labels]);
    assert.ok(!samples.has(series), `${line} is there twice`);
    const word = line.slice(at + 1);
    samples.set(series, word === '+Inf' ? Infinity : word === '-Inf' ? -Infinity : Number(word));
    assert.ok(word === 'NaN' || !Number.isNaN(samples.get(series)), word);
  }
  return { types, samples };
}

const seriesOf = (name: string, labels: Record<string, string> = {}) =>
  JSON.stringify([`lvsd_${name}`, Object.entries(labels)]);

test('values and labels', () => {
  const { samples, types } = parse(textOf(STATS, { detail: 'full' }));
  const value = (name: string, labels?: Record<string, string>) => samples.get(seriesOf(name, labels));
  const shop = { service: 'shop', virtual: 'tcp 10.99.0.10:443' };
  assert.equal(value('up'), 1);
  assert.equal(value('config_last_reload_success_timestamp_seconds'), 1_700_000_000.5);
  assert.equal(value('real_servers', { state: 'unprobed' }), 1);
  assert.equal(value('service_connections_total', shop), SERVICE_COLUMNS.indexOf('connections') + 100);
  assert.equal(value('service_refused', shop), undefined);
  const odd = { ...shop, service: 'dns "x"\\\n' };
  assert.equal(value('service_refused', odd), 1);
  assert.equal(value('service_local_ports', odd), undefined);
  assert.equal(value('real_server_up', { ...shop, real_server: 'web1' }), 1);
  assert.equal(value('real_server_up', { ...shop, real_server: 'web2' }), 0);
  assert.equal(value('real_server_up', { ...shop, real_server: 'web3' }), Number.NaN);
  assert.equal(value('real_server_connections_total', { ...shop, real_server: 'web2' }), undefined);
  assert.equal(value('vrrp_state', { instance_name: 'edge' }), 2);
  assert.equal(value('table_read_duration_seconds_bucket', { le: '0.01' }), 2);
  assert.equal(value('table_read_duration_seconds_bucket', { le: '+Inf' }), 3);
  assert.equal(value('table_read_duration_seconds_sum'), 0.25);
  assert.equal(value('check_duration_seconds_bucket', { type: 'http', le: '0.01' }), 2);
  assert.equal(value('check_duration_seconds_count', { type: 'http' }), 3);
  assert.equal(types.get('lvsd_table_read_duration_seconds'), 'histogram');
  assert.deepEqual(parse(DOWN_TEXT).samples, new Map([[seriesOf('up'), 0]]));
});

test('texts of numbers and labels, as they are read back', () => {
  assert.deepEqual([NaN, Infinity, -Infinity, 0, -1.5, 2 ** 53].map(numberText), [
    ...['NaN', '+Inf', '-Inf', '0', '-1.5', '9007199254740992'],
  ]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.double()), { maxLength: 20 }), (rows) => {
      const names = new Map(rows);
      const realServers = [...names].map(([name, weight]) => server(name, { weight }));
      const { samples } = parse(textOf({ ...STATS, realServers }));
      for (const [name, weight] of names) {
        const labels = { service: 'shop', virtual: 'tcp 10.99.0.10:443', real_server: name };
        // -0 and 0 are the same sample.
        assert.equal((samples.get(seriesOf('real_server_weight', labels)) ?? NaN) + 0, weight + 0);
      }
    }),
    { numRuns: process.env.LVSD_COUNTS === 'full' ? 10_000 : 500 },
  );
  assert.equal(escaped('a\\b"c\nd'), 'a\\\\b\\"c\\nd');
});

test('detail, groups and the bound', () => {
  const names = (options: TextOptions) => [...parse(textOf(STATS, options)).types.keys()];
  for (const [index, detail] of DETAILS.entries()) {
    const allowed = FAMILIES.filter(({ level }) => DETAILS.indexOf(level) <= index).map(({ name }) => `lvsd_${name}`);
    assert.deepEqual(names({ detail }).sort(), [...allowed, 'lvsd_up', 'lvsd_metrics_omitted_series'].sort());
  }
  assert.ok(names({ groups: ['vrrp'] }).every((name) => /^lvsd_(up|metrics_omitted_series|vrrp_.*)$/.test(name)));
  const whole = parse(textOf()).samples.size;
  assert.equal(parse(textOf(STATS, { maxSeries: whole })).samples.size, whole);
  const bounded = parse(textOf(STATS, { maxSeries: whole - 1 })).samples;
  assert.deepEqual(
    [...bounded.keys()].filter((series) => series.startsWith('lvsd_real_server_')),
    [],
  );
  assert.equal(bounded.get(seriesOf('metrics_omitted_series')), whole - bounded.size);
  // The least is always written.
  assert.ok(parse(textOf(STATS, { maxSeries: 1 })).samples.size > 20);
});

test('the list in docs/metrics.md is up to date with the families', async () => {
  const tool = '../../../tools/lib/metrics-reference.mjs';
  const { metricsPage, withFamilies } = (await import(tool)) as {
    metricsPage: string;
    withFamilies(text: string, families: typeof FAMILIES): string;
  };
  const page = readFileSync(metricsPage, 'utf8');
  assert.ok(page === withFamilies(page, FAMILIES), 'npm run reference');
});

test('names are frozen', () => {
  const golden = readFileSync(new URL('metrics.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const lines = FAMILIES.map(({ name, type, labels }) => [`lvsd_${name}`, type, ...labels].join(' '));
  assert.deepEqual(lines, golden);
  assert.equal(new Set(FAMILIES.map(({ name }) => name)).size, FAMILIES.length);
});

test('every sample has the labels that its family declares', () => {
  const { samples } = parse(textOf(STATS, { detail: 'full' }));
  const declared = new Map(FAMILIES.map(({ name, labels }) => [`lvsd_${name}`, labels]));
  for (const series of samples.keys()) {
    const [name = '', labels] = JSON.parse(series) as [string, [string, string][]];
    const of = declared.get(name);
    if (of)
      assert.deepEqual(
        labels.map(([label]) => label),
        of,
        name,
      );
  }
});

test('promtool is content', async () => {
  const promtool = join(await prometheus(), 'promtool');
  for (const detail of DETAILS) {
    const input = textOf(STATS, { detail });
    const { status, stderr } = spawnSync(promtool, ['check', 'metrics'], { input, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }
});
