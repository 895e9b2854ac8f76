// SPDX-License-Identifier: MIT
// The warning about late checks: its text and its rate.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoadWatch } from '../../../src/health/worker/load-watch.ts';

const FINE = { probes: 5000, running: 20, queued: 0, limit: 500, longestWait: 12, lost: 3 };

test('it warns if the process did not run or if the limit is too low, at most once a minute', () => {
  const watch = new LoadWatch();
  assert.equal(watch.check(FINE, 0), undefined);
  assert.equal(watch.check({ ...FINE, longestWait: 5000 }, 0), undefined, 'no check waits any more');
  assert.match(watch.check({ ...FINE, lost: 4200 }, 0) ?? '', /^the health worker could not run for 4200 ms: /);
  assert.match(
    watch.check({ ...FINE, queued: 90, longestWait: 1500 }, 0) ?? '',
    /^checks of unresponsive servers are delayed by up to 1500 ms.* limit of 500 .*checks\.concurrency.*LimitNOFILE/,
  );
  assert.equal(watch.check({ ...FINE, lost: 4200, queued: 90, longestWait: 1500 }, 59_999), undefined);
  assert.ok(watch.check({ ...FINE, lost: 4200 }, 60_000));
});
