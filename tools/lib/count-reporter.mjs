// SPDX-License-Identifier: MIT
// A node:test reporter that writes one JSON line: how many tests passed, failed and were skipped. Only leaves count,
// so that a describe() around ten tests does not make eleven.
export default async function* count(source) {
  const totals = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite' && type === 'test:pass') continue;
    const onlyChildrenFailed = data.details?.error?.failureType === 'subtestsFailed';
    if (type === 'test:fail' && onlyChildrenFailed) continue;
    if (data.skip !== undefined || data.todo !== undefined) totals.skipped += 1;
    else if (type === 'test:pass') totals.passed += 1;
    else {
      totals.failed += 1;
      totals.failures.push({ file: data.file ?? '', name: data.name });
    }
  }
  yield `${JSON.stringify(totals)}\n`;
}
