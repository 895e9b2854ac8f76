// SPDX-License-Identifier: MIT
// Records with their fields on a real datagram socket in place of the journal's, and lines of text without it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, test } from 'node:test';
import { native } from '../../../src/base/native.ts';
import { AF_UNIX, unixAddress } from '../../../src/base/unix-address.ts';
import type { LogSettings } from '../../../src/config/types.ts';
import { KINDS } from '../../../src/control/events/kinds.ts';
import { EventLog } from '../../../src/control/events/log.ts';
import { MESSAGE_IDS } from '../../../src/control/events/message-ids.ts';
import { Reporter } from '../../../src/daemon/control/reporter.ts';
import { JournalSocket } from '../../../src/daemon/log/journal-socket.ts';
import { DaemonLog } from '../../../src/daemon/log/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'lvsd-journal-'));
after(() => rmSync(folder, { recursive: true }));

/** The fields of a datagram, by the protocol's description. */
function fieldsOf(datagram: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = 0; at < datagram.length; ) {
    const end = datagram.indexOf(0x0a, at);
    const line = datagram.toString('utf8', at, end);
    const equals = line.indexOf('=');
    at = end + 1;
    if (equals >= 0) fields[line.slice(0, equals)] = line.slice(equals + 1);
    else {
      const length = Number(datagram.readBigUInt64LE(at));
      fields[line] = datagram.toString('utf8', at + 8, at + 8 + length);
      at += 8 + length;
      assert.equal(datagram[at++], 0x0a);
    }
  }
  return fields;
}

/** What a log sends to the journal's socket, and what it writes as lines. */
async function logged(
  format: LogSettings['format'],
  use: (log: DaemonLog) => void,
  path = join(folder, `${Math.random()}.sock`),
): Promise<{ entries: Record<string, string>[]; lines: string }> {
  const journal = new (native().Socket)(AF_UNIX, 2, 0);
  journal.bind(unixAddress(path.replace('nowhere', 'elsewhere')));
  let lines = '';
  const stream = new Writable({
    write(chunk, _encoding, next) {
      lines += String(chunk);
      next();
    },
  });
  const log = new DaemonLog(
    { level: 'info', format, levels: {} },
    { stream, journal: true, journalSocket: new JournalSocket(path) },
  );
  use(log);
  const [data, info] = [Buffer.alloc(16 << 10), new Int32Array(4)];
  const entries: Record<string, string>[] = [];
  while (journal.receive(data, info) > 0) entries.push(fieldsOf(data.subarray(0, info[0])));
  await log.flush();
  journal.close();
  return { entries, lines };
}

const report = (log: DaemonLog) => {
  const reporter = new Reporter((area) => log.area(area), new EventLog());
  const fields = { service: 'shop', server: 'web1', state: 'down', reason: 'two\nlines', code: 'refused' } as const;
  reporter.server({ text: 'web1 is down\x1b[2J', fields }, false);
  log.area('kernel').error('no event');
};

test('events have their kind, number, message id and fields; other lines their area', async () => {
  const { entries, lines } = await logged('text', report);
  assert.equal(lines, '');
  assert.deepEqual(entries, [
    {
      MESSAGE: 'health: shop: web1 is down\\x1b[2J',
      PRIORITY: '4',
      SYSLOG_IDENTIFIER: 'lvsd',
      LVSD_AREA: 'health',
      MESSAGE_ID: MESSAGE_IDS['real_server.down'],
      LVSD_SERVICE: 'shop',
      LVSD_REAL_SERVER: 'web1',
      LVSD_STATE: 'down',
      LVSD_REASON: 'two\nlines',
      LVSD_CODE: 'refused',
      LVSD_KIND: 'real_server.down',
      LVSD_SEQUENCE: '1',
    },
    { MESSAGE: 'kernel: no event', PRIORITY: '3', SYSLOG_IDENTIFIER: 'lvsd', LVSD_AREA: 'kernel' },
  ]);
});

test('without the socket, and as JSON, they are lines on standard error', async () => {
  const missing = await logged('text', report, join(folder, 'nowhere.sock'));
  assert.deepEqual(missing.entries, []);
  assert.equal(missing.lines, '<4>health: shop: web1 is down\\x1b[2J\n<3>kernel: no event\n');
  const json = await logged('json', report);
  assert.deepEqual(json.entries, []);
  const first = JSON.parse(json.lines.split('\n')[0]?.slice(3) ?? '') as Record<string, unknown>;
  assert.deepEqual([first.kind, first.sequence, first.server], ['real_server.down', 1, 'web1']);
});

test('every kind has an id of its own, which docs/events.md lists', () => {
  const ids = Object.values(MESSAGE_IDS);
  assert.deepEqual(Object.keys(MESSAGE_IDS), Object.keys(KINDS));
  assert.equal(new Set(ids).size, ids.length);
  const page = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8');
  for (const [kind, id] of Object.entries(MESSAGE_IDS)) {
    assert.match(id, /^[0-9a-f]{32}$/);
    assert.ok(page.includes(`| \`${kind}\` | \`${id}\` |`), kind);
  }
});
