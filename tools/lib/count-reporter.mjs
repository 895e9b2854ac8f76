// SPDX-License-Identifier: MIT
// A node:test reporter that writes one JSON line: how many tests passed, failed and were skipped, and how long each file
// took. Suites, such as describe(), are not counted.

/** @typedef {{ file: string, name: string, reason?: string }} Failure */
/** @typedef {{ file: string, seconds: number }} FileTime */
/** @typedef {{ passed: number, failed: number, skipped: number, failures: Failure[], files: FileTime[] }} Counts */

/** Lines and characters of a failure's reason that are kept. */
const [MAX_LINES, MAX_LENGTH] = [12, 1500];

/**
 * The message of the error by which a test failed.
 * @param {any} error
 */
function reasonOf(error) {
  const text = String(error?.cause?.message ?? error?.cause ?? error?.message ?? '');
  return text.split('\n').slice(0, MAX_LINES).join('\n').slice(0, MAX_LENGTH);
}

/** @param {AsyncIterable<{ type: string, data: any }>} source */
export default async function* count(source) {
  /** @type {Counts} */
  const totals = { passed: 0, failed: 0, skipped: 0, failures: [], files: [] };
  for await (const { type, data } of source) {
    // The runner reports each file as a test of its own, named by its path.
    if (type === 'test:complete' && data.nesting === 0 && /\.test\.(ts|mjs)$/.test(data.name)) {
      totals.files.push({ file: data.name, seconds: data.details.duration_ms / 1000 });
      continue;
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite' && type === 'test:pass') continue;
    const onlyChildrenFailed = data.details?.error?.failureType === 'subtestsFailed';
    if (type === 'test:fail' && onlyChildrenFailed) continue;
    if (data.skip !== undefined || data.todo !== undefined) totals.skipped += 1;
    else if (type === 'test:pass') totals.passed += 1;
    else {
      totals.failed += 1;
      totals.failures.push({ file: data.file ?? '', name: data.name, reason: reasonOf(data.details?.error) });
    }
  }
  yield `${JSON.stringify(totals)}\n`;
}
