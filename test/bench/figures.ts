// SPDX-License-Identifier: MIT
// Medians of repeated measurements.

/** A figure measured several times. */
export interface Figure {
  median: number;
  min: number;
  max: number;
}

export function spread(values: number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}
