// SPDX-License-Identifier: MIT
// The expressions of examples/prometheus and examples/grafana.
import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';

export interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { h: number; w: number; x: number; y: number };
  datasource?: { uid: string };
  targets?: { refId: string; expr: string; datasource: { uid: string } }[];
  fieldConfig?: { defaults: { unit?: string } };
}

export interface Dashboard {
  panels: Panel[];
  templating: { list: { name: string; type: string; query: string | { query: string } }[] };
}

const read = (path: string) => readFileSync(new URL(`../../examples/${path}`, import.meta.url), 'utf8');

export const dashboard = JSON.parse(read('grafana/lvsd.json')) as Dashboard;

export interface Expression {
  title: string;
  expr: string;
}

/** Each expression of the dashboard as Grafana sends it for all jobs, instances and services. */
export const panelExpressions: readonly Expression[] = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({
    title,
    expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|instance|service)\b/g, '.*'),
  })),
);

interface Rules {
  groups: { rules: { alert: string; expr: string }[] }[];
}

export const alerts: readonly Expression[] = (load(read('prometheus/lvsd.rules.yml')) as Rules).groups.flatMap(
  ({ rules }) => rules.map(({ alert, expr }) => ({ title: alert, expr })),
);
