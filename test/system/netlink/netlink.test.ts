// SPDX-License-Identifier: MIT
// lab: --stock
// The netlink client on a real kernel: overruns, windows, dumps, extended ACKs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import {
  NetlinkDumpInterruptedError,
  NetlinkError,
  NetlinkOverrunError,
  NetlinkTimeoutError,
} from '../../../src/base/errors.ts';
import { type MessageView, type MessageWriter, NetlinkClient } from '../../../src/netlink/index.ts';

const NETNS = 'netlink-test';
const PATH = `/run/netns/${NETNS}`;
const NETLINK_ROUTE = 0;
const NETLINK_CONNECTOR = 11;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_GETNEXTHOP = 106;
const RTNLGRP_IPV4_IFADDR = 5;
const NLM_F_CREATE_EXCL = 0x600;
const NLM_F_DUMP_INTR = 0x10;
const EEXIST = 17;
const EINVAL = 22;
const ADDRESSES = 3000;

const ip = (...words: string[]) => spawnSync('ip', words, { encoding: 'utf8' });
let client: NetlinkClient;
let loopback = 0;

before(() => {
  assert.equal(ip('netns', 'add', NETNS).status, 0);
  ip('-n', NETNS, 'link', 'set', 'lo', 'up');
  loopback = 1;
  client = new NetlinkClient(NETLINK_ROUTE, { netns: PATH });
});
after(() => {
  client.close();
  ip('netns', 'del', NETNS);
});

/** struct ifaddrmsg and IFA_LOCAL: 10.77.x.y/32 on lo. */
function address(index: number) {
  return (writer: MessageWriter) => {
    const header = Buffer.from([2, 32, 0, 0, 0, 0, 0, 0]);
    header.writeInt32LE(loopback, 4);
    writer.raw(header).bytes(2, Buffer.from([10, 77, index >> 8, index & 255]));
  };
}

const add = (index: number, to = client) => to.request(RTM_NEWADDR, address(index), { flags: NLM_F_CREATE_EXCL });
const remove = (index: number, to = client) => to.request(RTM_DELADDR, address(index));
const range = Array.from({ length: ADDRESSES }, (_, index) => index);

test('thousands of concurrent requests are all answered', async () => {
  await Promise.all(range.map((index) => add(index)));
  const found = await client.dump(
    RTM_GETADDR,
    (writer) => writer.raw(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0])),
    (view) => view.type,
  );
  // lo's own address as well.
  assert.equal(found.length, ADDRESSES + 1);
});

test('a rejected request has errno and name, the others continue', async () => {
  const results = await Promise.allSettled([add(0), add(ADDRESSES), add(1), remove(ADDRESSES)]);
  assert.deepEqual(
    results.map((result) => (result.status === 'rejected' ? (result.reason as NetlinkError).errnoName : 'done')),
    ['EEXIST', 'done', 'EEXIST', 'done'],
  );
  await assert.rejects(add(0), (error: NetlinkError) => error instanceof NetlinkError && error.errno === EEXIST);
});

test('extended ACKs: text and offset', async () => {
  // RTM_NEWLINK with an MTU of one byte: the kernel names the attribute at fault.
  await assert.rejects(
    client.request(RTM_NEWLINK, (writer) => {
      const header = Buffer.alloc(16);
      header.writeInt32LE(loopback, 4);
      writer.raw(header).bytes(4, Buffer.from([1]));
    }),
    (error: NetlinkError) => {
      assert.ok(error instanceof NetlinkError);
      assert.ok(error.extendedAck.message, 'no text');
      assert.equal(error.extendedAck.offset, 32);
      return true;
    },
  );
});

test('a failed dump throws its errno and text', async () => {
  const byIndex = Buffer.alloc(16);
  byIndex.writeInt32LE(loopback, 4);
  await assert.rejects(
    client.dump(
      RTM_GETLINK,
      (writer) => writer.raw(byIndex),
      (view) => view.type,
    ),
    (error: NetlinkError) =>
      error instanceof NetlinkError && error.errno === EINVAL && /device index/.test(error.message),
  );
  // NLMSG_DONE with an errno; node-netlink returns an empty table for it.
  await assert.rejects(
    client.dump(
      RTM_GETNEXTHOP,
      (writer) => writer.raw(Buffer.from([2, 0, 0, 0, 0, 0, 0, 1])),
      (view) => view.type,
    ),
    (error: NetlinkError) => error instanceof NetlinkError && error.errno === EINVAL,
  );
});

test('concurrent dumps run one at a time', async () => {
  const dump = () =>
    client.dump(
      RTM_GETLINK,
      (writer) => writer.raw(Buffer.alloc(16)),
      (view) => view.type,
    );
  const tables = await Promise.all([dump(), dump(), dump(), add(ADDRESSES), dump(), remove(ADDRESSES)]);
  for (const table of tables.filter((result) => result !== undefined)) assert.deepEqual(table, tables[0]);
});

const addresses = (writer: MessageWriter) => writer.raw(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]));
const payload = (view: MessageView) => view.buffer.toString('hex', view.start + 8, view.end);

test('a dump interrupted by a change is repeated', { timeout: 120_000 }, async () => {
  const batch = range.slice(0, 500).map((index) => `address add 10.78.${index >> 8}.${index & 255}/32 dev lo`);
  const back = batch.map((line) => line.replace(' add ', ' del '));
  let stop = false;
  const storm = (async () => {
    while (!stop) {
      const child = spawn('ip', ['-n', NETNS, '-batch', '-'], { stdio: ['pipe', 'ignore', 'inherit'] });
      child.stdin.end([...batch, ...back, ''].join('\n'));
      await once(child, 'exit');
    }
  })();
  let interrupted = 0;
  let whole = 0;
  try {
    for (let i = 0; i < 200 && (interrupted === 0 || whole === 0); i++) {
      let marked = false;
      const dump = client.dump(RTM_GETADDR, addresses, (view) => {
        marked ||= (view.flags & NLM_F_DUMP_INTR) !== 0;
        return payload(view);
      });
      const table = await dump.catch((error: unknown) => {
        assert.ok(error instanceof NetlinkDumpInterruptedError, String(error));
        return undefined;
      });
      if (marked) interrupted++;
      // The addresses of the first test do not change: a complete dump has each of them once.
      if (!table) continue;
      whole++;
      assert.equal(new Set(table).size, table.length, 'an address twice');
      assert.ok(table.length > ADDRESSES, `${table.length} addresses`);
    }
  } finally {
    stop = true;
    await storm;
  }
  assert.ok(interrupted > 0, 'no dump was interrupted');
  assert.ok(whole > 0, 'every dump was interrupted');
});

/** Keeps the event loop busy while `lines` change addresses in the namespace. */
function changeWhileBlocked(lines: readonly string[]): void {
  const { status } = spawnSync('ip', ['-n', NETNS, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  assert.equal(status, 0);
}

const flood = range.map((index) => `address add 10.79.${index >> 8}.${index & 255}/32 dev lo`);
const ebb = flood.map((line) => line.replace(' add ', ' del '));

test('notifications: an overrun is reported after the buffered ones, and later ones arrive', async () => {
  const events = { messages: 0, overruns: 0, failed: 0 };
  const small = new NetlinkClient(NETLINK_ROUTE, { netns: PATH, receiveBuffer: 32 << 10 });
  let overrun = () => {};
  const overrunSeen = new Promise<void>((resolve) => {
    overrun = resolve;
  });
  const subscription = small.subscribe([RTNLGRP_IPV4_IFADDR], {
    message: () => {
      events.messages++;
    },
    overrun: (error) => {
      assert.ok(error instanceof NetlinkOverrunError);
      events.overruns++;
      overrun();
    },
    failed: () => {
      events.failed++;
    },
  });
  changeWhileBlocked([...flood, ...ebb]);
  await overrunSeen;
  const kept = events.messages;
  assert.ok(kept > 0 && kept < 2 * ADDRESSES);
  await add(ADDRESSES);
  await remove(ADDRESSES);
  for (let i = 0; i < 100 && events.messages < kept + 2; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(events, { messages: kept + 2, overruns: 1, failed: 0 });
  subscription.close();
  small.close();
});

test('the same overrun aborts node-netlink', () => {
  const program = `
    const { createRtNetlink } = require('netlink');
    const { spawnSync } = require('node:child_process');
    const socket = createRtNetlink({ ref: true });
    const requests = [];
    for (let i = 0; i < ${ADDRESSES}; i++)
      requests.push(socket.newAddress({ family: 2, prefixlen: 32, index: 1 },
        { local: Buffer.from([10, 80, i >> 8, i & 255]) }, { create: true, exclusive: true }).catch(() => {}));
    Promise.all(requests).then(() => process.exit(0));
  `;
  const { status, signal } = spawnSync('ip', ['netns', 'exec', NETNS, process.execPath, '-e', program], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.ok(signal === 'SIGABRT' || status === 134, `status ${status}, signal ${signal}`);
});

test('commands: an overrun fails requests in flight, later ones are answered', async () => {
  // Room for a few answers only: a window of 128 overruns it.
  const small = new NetlinkClient(NETLINK_ROUTE, { netns: PATH, receiveBuffer: 2304 });
  const results = await Promise.allSettled(range.slice(0, 256).map((index) => add(index, small)));
  const codes = new Set(
    results.map((result) => (result.status === 'rejected' ? (result.reason as { code: string }).code : 'done')),
  );
  assert.deepEqual([...codes].sort(), ['ERR_LVSD_NETLINK', 'ERR_LVSD_NETLINK_OVERRUN']);
  await assert.rejects(add(0, small), (error: NetlinkError) => error.errno === EEXIST);
  small.close();
});

test('an unanswered request times out', async () => {
  // The kernel's connector ignores messages to unknown identifiers, and acknowledges none.
  const connector = new NetlinkClient(NETLINK_CONNECTOR);
  const unknown = Buffer.alloc(20);
  unknown.writeUInt32LE(0x7fff, 0);
  const started = performance.now();
  await assert.rejects(
    connector.request(3, (writer) => writer.raw(unknown), { timeout: 200 }),
    (error: unknown) => error instanceof NetlinkTimeoutError && error.code === 'ERR_LVSD_NETLINK_TIMEOUT',
  );
  assert.ok(performance.now() - started >= 199);
  connector.close();
});

test('closing fails pending requests', async () => {
  const other = new NetlinkClient(NETLINK_ROUTE, { netns: PATH });
  const pending = [
    add(1, other),
    other.dump(
      RTM_GETLINK,
      (writer) => writer.raw(Buffer.alloc(16)),
      (view) => view.type,
    ),
  ];
  other.close();
  for (const result of await Promise.allSettled(pending)) assert.ok(result.status === 'rejected' || result.value);
  await assert.rejects(add(1, other), { code: 'ERR_LVSD_NETLINK_CLOSED' });
});
