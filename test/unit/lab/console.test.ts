// SPDX-License-Identifier: MIT
// Kernel reports that make a run in the lab fail: their first lines, as real kernels print them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConsoleWatch, isAlarm, umlFaults } from '../../../lab/console.ts';

const reports = [
  '[    3.1] WARNING: CPU: 1 PID: 203 at net/core/skbuff.c:5127 skb_try_coalesce+0x2d0/0x2e0',
  '[    3.1] BUG: kernel NULL pointer dereference, address: 0000000000000008',
  '[    3.1] kernel BUG at net/netfilter/ipvs/ip_vs_conn.c:870!',
  '[    3.1] Oops: 0002 [#1] PREEMPT SMP NOPTI',
  '[    3.1] general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1]',
  '[    3.1] Kernel panic - not syncing: sysrq triggered crash',
  '[  243.1] INFO: task kworker/u4:2:61 blocked for more than 120 seconds.',
  '[   93.1] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
  '[    3.1] WARNING: possible circular locking dependency detected',
  '[    3.1] WARNING: suspicious RCU usage',
  '[   13.1] unregister_netdevice: waiting for lo to become free. Usage count = 2',
  '[    3.1] BUG: KASAN: slab-use-after-free in ip_vs_conn_put+0x24/0x60 [ip_vs]',
  '[    3.1] UBSAN: shift-out-of-bounds in net/netfilter/ipvs/ip_vs_mh.c:1:2',
  '[   43.1] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [swapper/0:0]',
  '[    3.1] refcount_t: underflow; use-after-free.',
  '[    3.1] list_del corruption. prev->next should be ffff, but was dead',
  '[    3.1] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)',
];

const harmless = [
  '[    3.1] IPVS: ipvs loaded.',
  '[    3.1] ip_vs: module verification failed: signature and/or required key missing - tainting kernel',
  '[    3.1] mtrr: your CPUs had inconsistent variable MTRR settings',
  '[    3.1] acpi PNP0A03:00: fail to add MMCONFIG information',
  '[    3.1] IPVS: [fnl] scheduler: no destination available: no destinations present',
  '[    3.1] device eth0 entered promiscuous mode',
];

for (const line of reports) test(`alarm: ${line.slice(10, 60)}`, () => assert.ok(isAlarm(line)));
for (const line of harmless) test(`no alarm: ${line.slice(10, 60)}`, () => assert.ok(!isAlarm(line)));

test('a report is kept with the lines that follow it, for any split of the output', () => {
  const watch = new ConsoleWatch();
  for (const piece of ['[1] fine\r\n[2] BUG: ker', 'nel NULL\r\n[3] Call Trace:\r\n']) watch.feed(piece);
  assert.equal(watch.alarms, '[2] BUG: kernel NULL\n[3] Call Trace:');
  assert.equal(watch.tail.split('\n').length, 3);
});

test('a known fault is not an alarm, and does not hide one before, within or after its report', () => {
  const known = [
    'WARNING: suspicious RCU usage',
    '6.1.192-uml #1',
    '---',
    'lib/maple_tree.c:816 suspicious rcu_dereference_check() usage!',
  ];
  const other = [
    'WARNING: suspicious RCU usage',
    '6.1.192-uml #1',
    '---',
    'net/netfilter/ipvs/ip_vs_conn.c:1 suspicious rcu_dereference_check() usage!',
  ];
  const alarmsOf = (...lines: string[]) => {
    const watch = new ConsoleWatch(umlFaults);
    watch.feed(`${lines.join('\n')}\n`);
    return watch.alarms;
  };
  assert.equal(alarmsOf(...known, 'Call Trace:', 'fine'), '');
  assert.equal(alarmsOf(...other, 'fine'), [...other, 'fine'].join('\n'));
  assert.match(alarmsOf('BUG: KASAN: before', ...known), /^BUG: KASAN: before/);
  assert.equal(alarmsOf(...known, 'BUG: KASAN: within'), 'BUG: KASAN: within');
  const watch = new ConsoleWatch();
  watch.feed(`${known.join('\n')}\n`);
  assert.notEqual(watch.alarms, '', 'a kernel without known faults');
});
