// SPDX-License-Identifier: MIT
/** The text of `lvsctl history`. Reasons, which come from outside, are escaped here. */
import { printable } from '../../base/printable.ts';
import { count } from '../../base/words.ts';
import type { CheckHistoryStatus, ServerHistory } from '../messages.ts';
import { type Column, table } from './table.ts';
import type { Paint } from './terminal.ts';
import { clockText, latencyText, spanText } from './words.ts';

/** `now`: milliseconds since the epoch. */
export function historyText(servers: readonly ServerHistory[], paint: Paint, now: number): string {
  return servers.map((server) => `${serverLines(server, paint, now).join('\n')}\n`).join('\n');
}

function serverLines({ service, virtual, server, state, checks }: ServerHistory, paint: Paint, now: number): string[] {
  const title = `${paint('bold', printable(service))}  ${printable(virtual)}  real server ${printable(server)}  ${state}`;
  if (checks.length === 0) return [title, '  not checked'];
  return [title, ...checks.flatMap((check) => checkLines(check, paint, now).map((line) => `  ${line}`))];
}

function checkLines(check: CheckHistoryStatus, paint: Paint, now: number): string[] {
  const { type, target, up, since, probes, failures, recent, transitions, lastFailures, reasons } = check;
  const state = paint(up ? 'green' : 'red', up ? 'up' : 'down');
  const lines = [
    `${printable(type)} check of ${printable(target)}: ${state} for ${spanText(now - since)}`,
    `  ${count(probes, 'probe')}, ${failures} failed; the last ${recent.length}, oldest first: ${recent}`,
  ];
  const section = (title: string, rows: string[]) => {
    if (rows.length > 0) lines.push(`  ${title}:`, ...rows.map((row) => `    ${row}`));
  };
  section('transitions', table(transitions, TRANSITIONS, paint).slice(1));
  section('last failures', table(lastFailures, FAILURES, paint).slice(1));
  section('failures by reason', table(reasons, REASONS, paint).slice(1));
  return lines;
}

const TRANSITIONS: Column<CheckHistoryStatus['transitions'][number]>[] = [
  { title: '', text: ({ at }) => clockText(at) },
  { title: '', text: ({ up }) => (up ? 'up' : 'down'), colour: ({ up }) => (up ? 'green' : 'red') },
  { title: '', text: ({ reason }) => printable(reason) },
];

const FAILURES: Column<CheckHistoryStatus['lastFailures'][number]>[] = [
  { title: '', text: ({ at }) => clockText(at) },
  { title: '', text: ({ latency }) => latencyText(latency), right: true },
  { title: '', text: ({ reason }) => printable(reason) },
];

const REASONS: Column<CheckHistoryStatus['reasons'][number]>[] = [
  { title: '', text: (row) => `${row.count}`, right: true },
  { title: '', text: ({ reason }) => (reason === '' ? 'other reasons' : printable(reason)) },
];
