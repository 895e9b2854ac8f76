// SPDX-License-Identifier: MIT
/** Reads the files of earlier runs: the state file and the file of overrides. */
import type { Reporter } from '../control/reporter.ts';
import { DEFAULT_STATE_FILE, readState } from './file.ts';
import { DEFAULT_OVERRIDES_FILE, readOverrides } from './overrides-file.ts';
import { EMPTY_SNAPSHOT, fromState, type Snapshot } from './snapshot.ts';

/** Health states and quorums older than this are not used; milliseconds. */
const HEALTH_AGE = 15 * 60_000;

export interface StatePaths {
  state: string;
  overrides?: string;
}

export interface SavedNote {
  level: 'info' | 'warn';
  file: string;
  text: string;
  reason?: string;
}

/** Undefined: overrides are kept in the state file only, which is not the default one. */
export function overridesPath({ state, overrides }: StatePaths): string | undefined {
  return overrides ?? (state === DEFAULT_STATE_FILE ? DEFAULT_OVERRIDES_FILE : undefined);
}

/** Logs notes, and adds an event for each file that was ignored. */
export function reportNotes(notes: readonly SavedNote[], reporter: Reporter): void {
  for (const { level, text, file, reason } of notes) {
    if (level === 'warn') reporter.daemon('file.ignored', text, { file, reason, state: 'file ignored' }, level);
    else reporter.log('daemon', level, text, { file, reason });
  }
}

/** Does not throw for invalid files: `notes` say what is not used. */
export async function readSaved(paths: StatePaths): Promise<{ saved: Snapshot; notes: SavedNote[] }> {
  const notes: SavedNote[] = [];
  const { saved, at } = await readSnapshot(paths.state, notes);
  const path = overridesPath(paths);
  if (path === undefined) return { saved, notes };
  const read = await readOverrides(path);
  // The state file has them too: for a first start with this file, or one that is damaged.
  if (read.overrides === undefined) {
    if (!read.missing)
      notes.push({
        level: 'warn',
        file: path,
        text: `file of overrides ${path} ignored, ${saved.overrides.length > 0 ? 'those of the state file are in effect' : 'none is in effect'}: ${read.reason}`,
        reason: read.reason,
      });
    return { saved, notes };
  }
  // The file of overrides could not be written when the state file was: the disk was full.
  if (at > read.at) return { saved, notes };
  return { saved: { ...saved, overrides: read.overrides }, notes };
}

/** `at`: when the state file was written (`writtenAt`); -Infinity: it is not used. */
async function readSnapshot(path: string, notes: SavedNote[]): Promise<{ saved: Snapshot; at: number }> {
  const read = await readState(path, { maxAge: Number.POSITIVE_INFINITY });
  if (!read.state) {
    const { reason } = read;
    if (!read.missing)
      notes.push({
        level: 'warn',
        file: path,
        text: `state file ${path} ignored, starting without state: ${reason}`,
        reason,
      });
    return { saved: EMPTY_SNAPSHOT, at: Number.NEGATIVE_INFINITY };
  }
  const saved = fromState(read.state, read.age);
  const { unknown = [] } = read.state;
  if (unknown.length > 0)
    notes.push({
      level: 'warn',
      file: path,
      text: `state file ${path} is of a later version, without effect are: ${unknown.join(', ')}`,
      reason: 'a later version has written it',
    });
  if (read.age < HEALTH_AGE) return { saved, at: read.at };
  // Ownership and overrides do not age; results of checks do.
  const minutes = Math.round(read.age / 60_000);
  const text = `state file ${path} is ${minutes} minutes old: its health states and quorums are ignored`;
  notes.push({ level: 'info', file: path, text });
  return { saved: { ...saved, health: new Map(), quorum: new Map() }, at: read.at };
}
