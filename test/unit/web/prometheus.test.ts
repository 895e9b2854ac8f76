// SPDX-License-Identifier: MIT
// examples/prometheus and examples/grafana: promtool accepts the rules, each alert fires and does not; the dashboard is well
// formed; a real Prometheus scrapes lvsd web and evaluates every expression of both.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import { READ_ONLY } from '../../../src/control/methods.ts';
import { FAMILIES } from '../../../src/control/metrics/families.ts';
import { parseListen } from '../../../src/web/listen.ts';
import { webServer } from '../../../src/web/server.ts';
import { alerts, dashboard, panelExpressions } from '../../support/dashboard.ts';
import { prometheus } from '../../support/prometheus.ts';
import { fakeDaemon } from '../control/daemon.ts';
import { STATS, statsHandler } from '../control/stats.ts';

const examples = fileURLToPath(new URL('../../../examples/prometheus', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lvsd-prometheus-'));
let bin: string;
before(async () => {
  bin = await prometheus();
});
after(() => rmSync(folder, { recursive: true, force: true }));

function promtool(...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(join(bin, 'promtool'), words, { cwd: examples, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

test('promtool accepts the rules and the configuration', () => {
  promtool('check', 'rules', 'lvsd.rules.yml');
  promtool('check', 'config', 'scrape.yml');
});

test('each alert has a case in which it fires, and one in which it does not', () => {
  promtool('test', 'rules', 'lvsd.test.yml');
  interface Cases {
    tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
  }
  const cases = (load(readFileSync(join(examples, 'lvsd.test.yml'), 'utf8')) as Cases).tests.flatMap(
    (one) => one.alert_rule_test,
  );
  for (const { title: alert } of alerts)
    assert.deepEqual(
      cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts: fires }) => fires.length),
      [1, 0],
      alert,
    );
});

test('the expressions use metrics of the list only', () => {
  const known = new Set([
    ...['lvsd_up', 'lvsd_metrics_omitted_series'],
    ...FAMILIES.flatMap(({ name, type }) => (type === 'histogram' ? `lvsd_${name}_bucket` : `lvsd_${name}`)),
  ]);
  for (const { title, expr } of [...alerts, ...panelExpressions])
    for (const [name] of expr.matchAll(/\blvsd_\w+/g)) assert.ok(known.has(name), `${title}: ${name}`);
});

test('the dashboard is well formed', () => {
  const { panels, templating } = dashboard;
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = new Set<string>();
  for (const { title, type, gridPos, datasource, targets, fieldConfig } of panels) {
    const { x, y, w, h } = gridPos;
    assert.ok(x >= 0 && w > 0 && x + w <= 24 && h > 0, title);
    for (let column = x; column < x + w; column++)
      for (let line = y; line < y + h; line++) {
        assert.ok(!cells.has(`${column} ${line}`), `${title} overlaps`);
        cells.add(`${column} ${line}`);
      }
    if (type === 'row') continue;
    assert.ok(['stat', 'timeseries', 'state-timeline'].includes(type), type);
    assert.ok(targets && targets.length > 0, title);
    assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
    for (const one of [datasource, ...targets.map((target) => target.datasource)])
      assert.match(one?.uid ?? '', /^\$\{datasource\}$/, title);
    const { unit = 'short' } = fieldConfig?.defaults ?? {};
    assert.ok(['none', 'short', 'cps', 'bps', 'bytes', 's', 'ops', 'percentunit'].includes(unit), unit);
  }
  assert.deepEqual(
    templating.list.map(({ name }) => name),
    ['datasource', 'job', 'instance', 'service'],
  );
  // Only these variables, and the interval, which Grafana has.
  for (const { title, targets = [] } of panels)
    for (const { expr } of targets)
      for (const [name] of expr.matchAll(/\$\w+/g))
        assert.ok(['$job', '$instance', '$service', '$__rate_interval'].includes(name), `${title}: ${name}`);
});

test('a real Prometheus scrapes lvsd web and evaluates every expression', { timeout: 240_000 }, async () => {
  using daemon = fakeDaemon({ stats: statsHandler(STATS) }, { methods: READ_ONLY });
  const web = webServer({ listen: parseListen('127.0.0.1:5873'), socket: daemon.path, hosts: [], log: () => {} });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  const { port } = web.address() as AddressInfo;
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: own } = probe.address() as AddressInfo;
  probe.close();
  const config = join(folder, 'prometheus.yml');
  const job = { job_name: 'lvsd', scrape_interval: '1s', params: { detail: ['full'] } };
  writeFileSync(
    config,
    JSON.stringify({
      rule_files: [join(examples, 'lvsd.rules.yml')],
      scrape_configs: [{ ...job, static_configs: [{ targets: [`127.0.0.1:${port}`] }] }],
    }),
  );
  const words = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${own}`,
  ];
  const child = spawn(join(bin, 'prometheus'), words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  interface Answer {
    status: string;
    error?: string;
    data?: { result: { value: [number, string] }[] };
  }
  const query = async (expr: string): Promise<Answer> => {
    const answer = await fetch(`http://127.0.0.1:${own}/api/v1/query?query=${encodeURIComponent(expr)}`);
    return (await answer.json()) as Answer;
  };
  try {
    for (const end = Date.now() + 180_000; ; await new Promise((resolve) => setTimeout(resolve, 200))) {
      // Rates need two scrapes.
      const found = await query('count_over_time(lvsd_up[5m])').catch(() => undefined);
      if (Number(found?.data?.result[0]?.value[1]) >= 3) break;
      assert.ok(Date.now() < end, err);
    }
    for (const { title, expr } of alerts) {
      const { status, error } = await query(expr);
      assert.equal(status, 'success', `${title}: ${error}`);
    }
    for (const { title, expr } of panelExpressions) {
      const { status, error, data } = await query(expr);
      assert.equal(status, 'success', `${title}: ${error}`);
      assert.ok((data?.result.length ?? 0) > 0, `${title}: nothing for ${expr}`);
    }
    // Every family that the daemon had samples of is there.
    for (const { name, type } of FAMILIES) {
      const series = type === 'histogram' ? `lvsd_${name}_bucket` : `lvsd_${name}`;
      assert.ok(((await query(series)).data?.result.length ?? 0) > 0, series);
    }
  } finally {
    child.kill('SIGTERM');
    web.closeAllConnections();
    web.close();
  }
});
