// SPDX-License-Identifier: MIT
/** Where standard error leads to, and how the journal wants its lines. */
import { fstatSync } from 'node:fs';
import type { LogLevel } from '../../config/types.ts';

/** syslog(3)'s priorities, as sd-daemon(3) wants them in front of a line. */
export const PRIORITY: Readonly<Record<LogLevel, string>> = { error: '<3>', warn: '<4>', info: '<6>', debug: '<7>' };

/** Whether descriptor `fd` leads to the journal: JOURNAL_STREAM names its device and inode (systemd.exec(5)). */
export function isJournal(variable: string | undefined, fd: number): boolean {
  if (!variable) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return variable === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
