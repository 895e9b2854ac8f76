// SPDX-License-Identifier: MIT
/** Sends records with their fields to the journal (systemd.io/JOURNAL_NATIVE_PROTOCOL). */
import { type NativeSocket, native } from '../../base/native.ts';
import { printable, shortened } from '../../base/printable.ts';
import { AF_UNIX, unixAddress } from '../../base/unix-address.ts';
import type { LogLevel } from '../../config/types.ts';
import type { Kind } from '../../control/events/kinds.ts';
import { MESSAGE_IDS } from '../../control/events/message-ids.ts';
import { LONGEST, type LogRecord } from './lines.ts';

export const JOURNAL_SOCKET = '/run/systemd/journal/socket';
const SOCK_DGRAM = 2;
/** Of syslog(3). */
const PRIORITIES: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };
/** Fields with another name than their own. */
const NAMES: Readonly<Record<string, string>> = { server: 'REAL_SERVER' };

export class JournalSocket {
  readonly #address: Buffer;
  #socket: NativeSocket | undefined;

  constructor(path = JOURNAL_SOCKET) {
    this.#address = unixAddress(path);
  }

  /** False if the journal did not take it: it is busy, or there is none. */
  send(record: LogRecord): boolean {
    try {
      this.#socket ??= new (native().Socket)(AF_UNIX, SOCK_DGRAM, 0);
      return this.#socket.send(journalEntry(record), this.#address) > 0;
    } catch {
      return false;
    }
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** The datagram of a record. */
export function journalEntry({ level, area, text, fields = {} }: LogRecord): Buffer {
  const { kind } = fields;
  const id = typeof kind === 'string' && Object.hasOwn(MESSAGE_IDS, kind) ? MESSAGE_IDS[kind as Kind] : undefined;
  const entries: [name: string, value: string][] = [
    ['MESSAGE', `${area}: ${printable(shortened(text, LONGEST))}`],
    ['PRIORITY', String(PRIORITIES[level])],
    ['SYSLOG_IDENTIFIER', 'lvsd'],
    ['LVSD_AREA', area],
    ...(id === undefined ? [] : [['MESSAGE_ID', id] as [string, string]]),
    ...Object.entries(fields).flatMap(([key, value]): [string, string][] =>
      value === undefined
        ? []
        : [[`LVSD_${NAMES[key] ?? key.toUpperCase().replace(/[^A-Z0-9_]/g, '_')}`, shortened(String(value), LONGEST)]],
    ),
  ];
  return Buffer.concat(entries.map(([name, value]) => field(name, value)));
}

/** One that has several lines is preceded by its length. */
function field(name: string, value: string): Buffer {
  if (!value.includes('\n')) return Buffer.from(`${name}=${value}\n`);
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')]);
}
