// SPDX-License-Identifier: MIT
/** Detection of the journal, and its line priorities. */
import { fstatSync } from 'node:fs';
import type { LogLevel } from '../../config/types.ts';

/** Priorities of syslog(3) as prefixes of lines (sd-daemon(3)). */
export const PRIORITY: Readonly<Record<LogLevel, string>> = { error: '<3>', warn: '<4>', info: '<6>', debug: '<7>' };

/** Whether the journal reads descriptor `fd`: JOURNAL_STREAM has its device and inode (systemd.exec(5)). */
export function isJournal(variable: string | undefined, fd: number): boolean {
  if (!variable) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return variable === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
