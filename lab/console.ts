// SPDX-License-Identifier: MIT
// Reads the guest kernel's console and notices what must make a run fail.

/** Lines after which the guest's kernel is not to be trusted: each is the first line of such a report. */
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

/** True when a console line is the start of an oops, BUG, WARNING, lockdep splat, hang or leak. */
export function isAlarm(line: string): boolean {
  return alarms.some((alarm) => alarm.test(line));
}

/** Collects the console of one run: the last lines for a report, and each alarm with the lines that follow it. */
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

  /** Everything that made the run fail, ready to print; empty when the kernel was quiet. */
  get alarms(): string {
    return this.found.slice(0, 400).join('\n').trim();
  }

  get tail(): string {
    return [...this.tailLines, this.partial].join('\n').trim();
  }
}
