// SPDX-License-Identifier: MIT
/** Numbers, times and names as the page shows them. Pure. */
import { short, spanText } from '../../control/lvsctl/words.ts';
import type { Point, ServerRow } from '../page/messages.ts';

/** '-' if it is not known. */
export const countText = (value: Point): string => short(value ?? Number.NaN);

/** Bits per second: '32 Mb/s'. */
export const bitRateText = (bits: Point): string =>
  bits === null ? '-' : `${short(bits).replace(/(?=[kMGTP]?$)/, ' ')}b/s`;

/** Bytes per second as bits. */
export const bitsText = (bytes: Point): string => bitRateText(bytes === null ? null : 8 * bytes);

/** '12s', '3h': the largest unit of a span in milliseconds. */
export const agoText = (milliseconds: number): string => spanText(milliseconds).split(' ')[0] ?? '';

/** '18:04:59' in local time, 24 hours. */
export function timeText(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((one) => `${one}`.padStart(2, '0')).join(':');
}

/** Labels of an axis of times: with seconds only if the minutes would be the same. */
export function clockLabels(ticks: readonly number[]): string[] {
  const [first = 0, second = first + MINUTE] = ticks;
  return ticks.map((tick) => timeText(tick).slice(0, second - first < MINUTE ? undefined : 5));
}

const MINUTE = 60_000;

/** '61 %'; 99.96 % is not full. */
export const shareText = (part: number, whole: number): string =>
  whole === 0 ? '-' : `${part < whole ? Math.min(99, Math.round((100 * part) / whole)) : 100} %`;

/** Labels of an axis, all in the unit of the greatest. */
export function axisLabels(ticks: readonly number[], unit: string): string[] {
  const top = Math.max(...ticks.map(Math.abs));
  const [prefix, divisor] = ([
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ].find(([, size]) => top >= (size as number)) ?? ['', 1]) as [string, number];
  const scaled = ticks.map((tick) => tick / divisor);
  const digits = scaled.every((one) => Math.abs(one - Math.round(one)) < 1e-9) ? 0 : top / divisor < 1 ? 2 : 1;
  return scaled.map((one) =>
    one === 0 ? '0' : `${one.toFixed(digits)}${prefix === '' && unit === '' ? '' : ` ${prefix}${unit}`}`,
  );
}

/** A word of a shell's command line. */
export const shellWord = (word: string): string =>
  /^[\w.:@%+,/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** The text of a command with each word quoted where a shell needs it. */
export const commandText = (...words: readonly string[]): string => words.map(shellWord).join(' ');

/** The command that drains a real server, or ends an override of an operator. */
export function serverCommand(service: string, { name, override }: Pick<ServerRow, 'name' | 'override'>): string {
  if (override === 'drain') return commandText('lvsctl', 'undrain', service, name);
  if (override !== undefined) return commandText('lvsctl', 'enable', service, name);
  return commandText('lvsctl', 'drain', service, name);
}

/** Points of a curve in a box; gaps end a line and begin another one. */
export function curvePaths(points: readonly Point[], most: number, width: number, height: number): string[] {
  const top = Math.max(1e-9, ...points.map((one) => one ?? 0));
  const lines: string[] = [];
  let line: string[] = [];
  const end = () => {
    if (line.length > 1) lines.push(line.join(' '));
    line = [];
  };
  for (const [index, value] of points.entries()) {
    if (value === null) {
      end();
      continue;
    }
    const x = ((most - points.length + index) / (most - 1)) * width;
    const y = height - 1 - (value / top) * (height - 3);
    line.push(`${x.toFixed(1)},${y.toFixed(1)}`);
  }
  end();
  return lines;
}
