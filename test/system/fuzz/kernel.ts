// SPDX-License-Identifier: MIT
// Checks of the kernel after a fuzzer's run.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const leaks = '/sys/kernel/debug/kmemleak';

/** With kmemleak on, asserts that there are no leaks. Scans twice, since one scan may report pointers in registers. */
export async function nothingLeaks(): Promise<void> {
  if (!/\bkmemleak=on\b/.test(readFileSync('/proc/cmdline', 'utf8'))) return;
  writeFileSync(leaks, 'scan');
  await sleep(6000);
  writeFileSync(leaks, 'scan');
  assert.equal(readFileSync(leaks, 'utf8'), '');
}

/** After the modules were unloaded, asserts that their slabs are gone, lockdep is on, and the log has no report. */
export function kernelIsClean(log: string[]): void {
  for (const slab of ['ip_vs_conn', 'ip_vs_conn_xlat']) assert.ok(!existsSync(`/sys/kernel/slab/${slab}`), slab);
  if (existsSync('/proc/lockdep_stats')) {
    assert.match(readFileSync('/proc/lockdep_stats', 'utf8'), /debug_locks: +1/, 'lockdep is still on');
  }
  const complaint =
    /BUG|WARNING: (?!suspicious RCU usage)|KASAN|Oops|refcount_t|Objects remaining|unregister_netdevice/;
  assert.deepEqual(
    log.filter((line) => complaint.test(line)),
    [],
  );
}
