// SPDX-License-Identifier: MIT
// What the kernel must look like after a fuzzer's run.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const leaks = '/sys/kernel/debug/kmemleak';

/** With kmemleak on: nothing was allocated and forgotten. Two scans, since one catches pointers in flight. */
export async function nothingLeaks(): Promise<void> {
  if (!existsSync(leaks)) return;
  try {
    writeFileSync(leaks, 'scan');
  } catch {
    // It is off.
    return;
  }
  await sleep(6000);
  writeFileSync(leaks, 'scan');
  assert.equal(readFileSync(leaks, 'utf8'), '');
}

/** Once the modules are gone: no slab of theirs is left, lockdep still works, and the log has no complaint. */
export function kernelIsClean(log: string[]): void {
  for (const slab of ['ip_vs_conn', 'ip_vs_xlat']) assert.ok(!existsSync(`/sys/kernel/slab/${slab}`), slab);
  if (existsSync('/proc/lockdep_stats')) {
    assert.match(readFileSync('/proc/lockdep_stats', 'utf8'), /debug_locks: +1/, 'lockdep is still at work');
  }
  const complaint =
    /BUG|WARNING: (?!suspicious RCU usage)|KASAN|Oops|refcount_t|Objects remaining|unregister_netdevice/;
  assert.deepEqual(
    log.filter((line) => complaint.test(line)),
    [],
  );
}
