// SPDX-License-Identifier: MIT
/** Durations in text form (500ms, 2s, 1.5s, 15m, 1h, 1d) and in milliseconds. */

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** '2s' -> 2000; undefined for anything else, a number without a unit included. Whole milliseconds only. */
export function parseDuration(text: string): number | undefined {
  const found = /^(\d{1,20}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (!found) return undefined;
  const milliseconds = Number(found[1]) * UNITS[found[2] as keyof typeof UNITS];
  // 1.001s is 1000.9999999999999 in floating point.
  const whole = Math.round(milliseconds);
  return Math.abs(milliseconds - whole) < 1e-6 ? whole : undefined;
}

/** 90000 -> '90s', 120000 -> '2m': the largest unit that leaves a whole number. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const value = milliseconds / UNITS[unit];
    if (Number.isInteger(value)) return `${value}${unit}`;
  }
  return `${milliseconds}ms`;
}
