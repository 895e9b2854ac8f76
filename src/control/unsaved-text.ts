// SPDX-License-Identifier: MIT
/** For lvsctl and the daemon's log: an override that is in effect and could not be saved. */
export const unsavedText = (reason: string): string =>
  `in effect, but not saved, so that a reboot would end it; lvsd tries again: ${reason}`;
