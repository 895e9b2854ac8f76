// SPDX-License-Identifier: MIT
// Finds the kernel reports on the guest's console that make a run fail.

/** First lines of reports that make a run fail. */
const alarms: RegExp[] = [
  /\bBUG: /,
  /\bkernel BUG at /,
  /\bWARNING: (?!.*(?:module verification|loading out-of-tree))/,
  /\bOops\b/,
  /general protection fault/,
  /unable to handle (?:kernel|page fault)/i,
  /Kernel panic - /,
  /INFO: task .* blocked for more than/,
  /INFO: rcu_\w+ (?:self-)?detected (?:expedited )?stalls?/,
  /rcu: INFO: .*stall/,
  /INFO: (?:possible|suspicious|trying to register|inconsistent)/,
  /suspicious RCU usage/,
  /possible (?:recursive|circular|irq) .*/,
  /unregister_netdevice: waiting for /,
  /UBSAN: /,
  /KASAN: /,
  /KCSAN: /,
  /kmemleak: \d+ new suspected/,
  /list_(?:add|del) corruption/,
  /refcount_t: /,
  /soft lockup|hard LOCKUP/,
  /Out of memory: Killed/,
];

/** True if a console line starts an oops, BUG, WARNING, lockdep splat, hang or leak. */
export function isAlarm(line: string): boolean {
  return alarms.some((alarm) => alarm.test(line));
}

/** Collects one run's console: its last lines, and each alarm with the lines that follow it. */
export class ConsoleWatch {
  private readonly tailLines: string[] = [];
  private readonly found: string[] = [];
  private partial = '';
  private following = 0;

  feed(text: string): void {
    const lines = (this.partial + text).split('\n');
    this.partial = lines.pop() ?? '';
    for (const line of lines) this.line(line.replace(/\r$/, ''));
  }

  private line(line: string): void {
    this.tailLines.push(line);
    if (this.tailLines.length > 60) this.tailLines.shift();
    if (isAlarm(line)) {
      // A report often has several such lines; only the first of a burst counts its lines anew.
      if (this.following === 0) this.found.push('');
      this.following = 50;
    }
    if (this.following > 0) {
      this.following -= 1;
      this.found.push(line);
    }
  }

  /** All reports that make the run fail, ready to print; empty if there are none. */
  get alarms(): string {
    return this.found.slice(0, 400).join('\n').trim();
  }

  get tail(): string {
    return [...this.tailLines, this.partial].join('\n').trim();
  }
}
