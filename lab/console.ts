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

/**
 * Known faults of the kernel itself, by the line of the report that names the place. User-mode Linux walks a memory map
 * without its lock when a program starts.
 */
export const umlFaults: RegExp[] = [/^lib\/maple_tree\.c:\d+ suspicious rcu_dereference_check\(\) usage!$/];

/** Collects one run's console: its last lines, and each alarm with the lines that follow it. */
export class ConsoleWatch {
  private readonly tailLines: string[] = [];
  private readonly found: string[] = [];
  private partial = '';
  private following = 0;
  /** State before the last alarm. */
  private before = { lines: 0, following: 0 };
  private readonly faults: RegExp[];

  /** Reports about `faults` are not alarms. */
  constructor(faults: RegExp[] = []) {
    this.faults = faults;
  }

  feed(text: string): void {
    const lines = (this.partial + text).split('\n');
    this.partial = lines.pop() ?? '';
    for (const line of lines) this.line(line.replace(/\r$/, ''));
  }

  private line(line: string): void {
    this.tailLines.push(line);
    if (this.tailLines.length > 60) this.tailLines.shift();
    if (isAlarm(line)) {
      this.before = { lines: this.found.length, following: this.following };
      // A report often has several such lines; only the first of a burst counts its lines anew.
      if (this.following === 0) this.found.push('');
      this.following = 50;
    }
    if (this.following === 0) return;
    this.following -= 1;
    this.found.push(line);
    if (this.faults.some((fault) => fault.test(line)) && this.following >= 45) this.forget();
  }

  /** Drops the report that has just begun. */
  private forget(): void {
    this.found.length = this.before.lines;
    this.following = this.before.following;
  }

  /** All reports that make the run fail, ready to print; empty if there are none. */
  get alarms(): string {
    return this.found.slice(0, 400).join('\n').trim();
  }

  get tail(): string {
    return [...this.tailLines, this.partial].join('\n').trim();
  }
}
