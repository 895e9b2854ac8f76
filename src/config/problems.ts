// SPDX-License-Identifier: MIT
/** Problems of a configuration, with their places. */
import { EXIT, LvsdError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { LIMITS } from './limits.ts';
import type { Place } from './types.ts';

export interface Problem {
  /** Undefined: the file cannot be read. */
  place?: Place;
  text: string;
}

/** An invalid configuration. `message` has a line for each problem. */
export class ConfigError extends LvsdError {
  readonly problems: readonly Problem[];

  /** `problems`: in any order; `files`: the order of the files. */
  constructor(problems: readonly Problem[], files: readonly string[] = []) {
    // The texts contain names and values of the file, with arbitrary characters.
    const harmless = problems.map((problem) => ({ ...problem, text: printable(problem.text) }));
    const sorted = sortProblems(harmless, files);
    const lines = sorted.slice(0, LIMITS.problems).map(problemLine);
    if (sorted.length > LIMITS.problems) lines.push(`... and ${sorted.length - LIMITS.problems} more problems`);
    super('ERR_LVSD_CONFIG', lines.join('\n'), EXIT.USAGE);
    this.problems = sorted;
  }
}

/** 'lvsd.yaml:3:5: services.shop.port: found ...; allowed: ...' */
export function problemLine({ place, text }: Problem): string {
  return place ? `${printable(place.file)}:${place.line}:${place.column}: ${text}` : text;
}

/** Sorted by place, each line once. */
export function sortProblems(problems: readonly Problem[], files: readonly string[]): Problem[] {
  const order = new Map(files.map((file, index) => [file, index]));
  const rank = ({ place }: Problem) => (place ? (order.get(place.file) ?? files.length) : -1);
  const sorted = [...problems].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
      (a.place?.column ?? 0) - (b.place?.column ?? 0),
  );
  const seen = new Set<string>();
  return sorted.filter((problem) => {
    const line = problemLine(problem);
    return !seen.has(line) && seen.add(line);
  });
}
