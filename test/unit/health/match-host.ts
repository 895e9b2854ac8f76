// SPDX-License-Identifier: MIT
/** Matches a slow expression repeatedly, in a process that is stopped now and then; prints the counts of results. */
import { matcher } from '../../../src/health/http/matcher.ts';

const TARGET = {};

/** A body for which a match takes some milliseconds: much less than the limit, as V8 may drop compiled expressions. */
async function body(): Promise<Buffer> {
  for (let length = 12; ; length++) {
    const text = Buffer.from(`${'a'.repeat(length)}!`);
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const started = performance.now();
      await matcher.pattern('^(a+)+$').test(TARGET, text);
      times.push(performance.now() - started);
    }
    if (Math.min(...times) > 2) return text;
  }
}

const text = await body();
process.stdout.write('ready\n');
const counts: Record<string, number> = {};
for (let i = 0; i < 150; i++) {
  const result = await matcher.pattern('^(a+)+$').test(TARGET, text);
  counts[`${result}`] = (counts[`${result}`] ?? 0) + 1;
}
process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
