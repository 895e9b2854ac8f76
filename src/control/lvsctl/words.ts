// SPDX-License-Identifier: MIT
/** Formats times and counts. */

const UNITS: readonly (readonly [name: string, seconds: number])[] = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
];

/** Milliseconds in the two largest units: '3d 4h', '5m', '12s'; '0s' for less than a second and for negative values. */
export function spanText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  if (first < 0) return '0s';
  let rest = seconds;
  const parts = UNITS.slice(first, first + 2).map(([name, size]) => {
    const count = Math.floor(rest / size);
    rest %= size;
    return count > 0 ? `${count}${name}` : '';
  });
  return parts.filter((part) => part !== '').join(' ');
}

/** '10.31.4.2:8443', '[2001:db8::2]:8443' */
export const endpointText = ({ address, port }: { address: string; port: number }): string =>
  `${address.includes(':') ? `[${address}]` : address}:${port}`;

/** Duration of a probe: '0.4ms', '12ms', '1.5s'. */
export function latencyText(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)}ms`;
  return milliseconds < 1000 ? `${Math.round(milliseconds)}ms` : `${(milliseconds / 1000).toFixed(1)}s`;
}

/** '2026-11-22 19:24:41', in local time. */
export function clockText(at: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return '?';
  const two = (value: number) => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/** Three digits and a unit: 0, 9.3, 577, 4.8k, 32M; '-' for NaN. */
export function short(value: number): string {
  if (Number.isNaN(value)) return '-';
  if (value < 9.95) return value === Math.round(value) ? `${value}` : value.toFixed(1);
  const units = ['', 'k', 'M', 'G', 'T', 'P'];
  let at = 0;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1000;
    at++;
  }
  return `${at > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)}${units[at]}`;
}
