// SPDX-License-Identifier: MIT
// Fast paths compared with their general twins: rules parsed from bytes with the grammar and codec, destinations from
// /proc/net/ip_vs with those that the kernel has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AF_INET, AF_INET6, type Family } from '../../src/base/addresses.ts';
import { MalformedError } from '../../src/base/errors.ts';
import { BulkWriter } from '../../src/ipvs/bulk-writer.ts';
import { destinationAttributes, serviceAttributes } from '../../src/ipvs/codec.ts';
import {
  addedDestination,
  type Destination,
  type DestinationKey,
  defaultDestination,
  IPVS_CMD_NEW_DEST,
  IPVS_CMD_NEW_SERVICE,
  type Ipvs,
  type Service,
} from '../../src/ipvs/index.ts';
import { COMMAND, type CommandAttributes } from '../../src/ipvs/tables.ts';
import { BulkRules } from '../../src/ipvsadm/bulk-rules.ts';
import { parse } from '../../src/ipvsadm/command-line/grammar.ts';
import { Lookup } from '../../src/ipvsadm/lookup.ts';
import { destinationRow, layoutFor } from '../../src/ipvsadm/print/layouts.ts';
import { ProcTable } from '../../src/ipvsadm/print/proc-table.ts';
import { sortDestinations, sortServices } from '../../src/ipvsadm/print/sort.ts';
import { readTable, type ServiceWithDestinations } from '../../src/ipvsadm/print/table.ts';
import { encodeTable } from '../../src/netlink/attributes.ts';
import { MessageWriter } from '../../src/netlink/writer.ts';

const numRuns = process.env.LVSD_COUNTS === 'full' ? 100_000 : 2000;
const FAMILY = { id: 30, version: 1 };
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;

function message(command: number, attributes: CommandAttributes): Buffer {
  const writer = new MessageWriter().begin(FAMILY.id, NLM_F_REQUEST | NLM_F_ACK);
  encodeTable(COMMAND, writer.genericHeader(command, FAMILY.version), attributes);
  return writer.finish();
}

/** The request that the grammar and the codec make of a rule. */
function byGrammar(text: string): Buffer {
  const { command, service, destination } = parse(text.split(' '), new Lookup(), 'lvsadm');
  if (command === 'add-service') return message(IPVS_CMD_NEW_SERVICE, { service: serviceAttributes(service) });
  assert.equal(command, 'add-server');
  return message(IPVS_CMD_NEW_DEST, {
    service: serviceAttributes(service),
    dest: destinationAttributes(destination),
  });
}

const number = fc.oneof(
  fc.nat({ max: 255 }).map(String),
  fc.nat({ max: 70000 }).map(String),
  fc.constantFrom('0', '00', '01', '65535', '65536', '2147483647', '2147483648', '', '-1', '+1', '0x1'),
);
const octet = fc.oneof({ weight: 20, arbitrary: fc.nat({ max: 255 }).map(String) }, { weight: 1, arbitrary: number });
const endpoint = fc
  .tuple(octet, octet, octet, octet, number)
  .map(([a, b, c, d, port]) => `${a}.${b}.${c}.${d}:${port}`);
const selector = fc.tuple(fc.constantFrom('-t', '-u', '-t', '-u', '-f'), endpoint).map((words) => words.join(' '));
const service = fc.tuple(selector, fc.constantFrom('rr', 'wlc', 'abcdefghijklmno', 'abcdefghijklmnop', 'R', '-p', ''));
const server = fc.tuple(selector, endpoint, fc.constantFrom('-m', '-g', '-i', '-b', '-x', '-mi'), number);
const rule = fc.oneof(
  service.map(([of, scheduler]) => `-A ${of} -s ${scheduler}`),
  server.map(([of, to, method, weight]) => `-a ${of} -r ${to} ${method} -w ${weight}`),
  server.map(([of, to, method, weight]) => `-a ${of} -r ${to} ${method} -w ${weight} -x 3`),
  server.map(([of, to, method]) => `-a ${of} -r ${to} ${method}`),
);

test('a rule that the fast path accepts becomes the request of the grammar', () => {
  let taken = 0;
  fc.assert(
    fc.property(rule, fc.nat({ max: 3 }), fc.constantFrom('', '\n-A', ' -w 1'), (text, before, after) => {
      const additions = new BulkWriter(FAMILY);
      const data = Buffer.from(`${'-'.repeat(before)}${text}${after}`);
      if (!new BulkRules(additions).take(data, before, before + text.length)) return;
      taken++;
      assert.equal(additions.count, 1);
      assert.deepEqual(additions.finish(), byGrammar(text));
    }),
    { numRuns },
  );
  assert.ok(taken > numRuns / 20, `only ${taken} rules were accepted`);
});

test('requests in one buffer are contiguous, and only the last requests an ack', () => {
  const additions = new BulkWriter(FAMILY);
  const rules = new BulkRules(additions);
  const lines = ['-A -t 192.0.2.1:80 -s rr', '-a -u 192.0.2.1:53 -r 10.0.0.1:53 -g -w 0', '-A -u 192.0.2.1:53 -s wlc'];
  for (const line of lines) assert.ok(rules.take(Buffer.from(line), 0, line.length));
  const messages = lines.map(byGrammar);
  for (const quiet of messages.slice(0, 2)) quiet.writeUInt16LE(NLM_F_REQUEST, 6);
  assert.deepEqual(additions.finish(), Buffer.concat(messages));
  additions.clear();
  let count = 0;
  while (!additions.full) {
    additions.addIpv4Service(6, count, 80, 'rr');
    count++;
  }
  assert.equal(additions.count, count);
  assert.ok(additions.finish().length <= 65536);
});

const HEAD = 'IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> Remote\n';
const hex = (value: number, width: number) => value.toString(16).padStart(width, '0');
const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);

function host(bytes: Uint8Array): string {
  const digits = [...bytes].map((byte) => hex(byte, 2)).join('');
  return bytes.length === 4 ? digits.toUpperCase() : `[${digits.replace(/(.{4})(?!$)/g, '$1:')}]`;
}

const count = fc.nat({ max: 20_000_000 });
const servers = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.tuple(fc.constantFrom(...v4Places()), count, count), { maxLength: 12 }) },
  { weight: 1, arbitrary: fc.array(fc.tuple(fc.record({ address, port: fc.nat({ max: 65535 }) }), count, count)) },
);
const services = fc.record({
  address,
  port: fc.nat({ max: 65535 }),
  protocol: fc.constantFrom(6, 17, 132),
  fwmark: fc.nat({ max: 2 }),
});
const tables = fc.array(fc.tuple(services, servers), { maxLength: 6 }).map((entries) =>
  entries.map(([{ address: bytes, ...rest }, list]): ServiceWithDestinations => {
    const blank = { scheduler: 'rr', flags: 0, timeout: 0, netmask: 0xffffffff, peName: '', stats: undefined };
    const service = { ...blank, ...rest, family: familyOf(bytes), address: bytes };
    return {
      service: { ...service, portMin: undefined, portMax: undefined, numLocalAddresses: undefined },
      destinations: list.map(([at, activeConnections, inactiveConnections]) => ({
        ...addedDestination({ ...defaultDestination({ ...at, family: familyOf(at.address) }), weight: 1 }),
        activeConnections,
        inactiveConnections,
      })),
    };
  }),
);

/** A few addresses and ports, so that they repeat; some make ipvsadm's order intransitive. */
function v4Places() {
  const bytes = [
    [10, 0, 0, 1],
    [192, 0, 2, 1],
    [100, 64, 0, 9],
    [255, 255, 255, 255],
    [0, 0, 0, 0],
  ];
  return bytes.flatMap((some) => [80, 443, 65535, 0].map((port) => ({ address: Uint8Array.from(some), port })));
}

function familyOf(bytes: Uint8Array): Family {
  return bytes.length === 4 ? AF_INET : AF_INET6;
}

/** /proc/net/ip_vs as ip_vs_info_seq_show() writes it. */
function procText(table: readonly ServiceWithDestinations[]): string {
  let text = HEAD;
  const name: Record<number, string> = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' };
  const at = ({ address: bytes, port }: { address: Uint8Array; port: number }) =>
    `${host(bytes)}:${hex(port, 4).toUpperCase()}`;
  for (const { service, destinations } of table) {
    const { fwmark, protocol } = service;
    text += fwmark ? `FWM  ${hex(fwmark, 8)} rr\n` : `${name[protocol]}  ${at(service)} rr ops \n`;
    for (const one of destinations) {
      const counts = [one.activeConnections, one.inactiveConnections]
        .map((value) => String(value).padEnd(10))
        .join(' ');
      text += `  -> ${at(one)}      Masq    1      ${counts}\n`;
    }
  }
  return text;
}

const layout = layoutFor(new Set());
const format = { exact: false, names: undefined, wide: false };

test('/proc/net/ip_vs: each service gets its destinations; a file that lists other services is not used', () => {
  fc.assert(
    fc.property(tables, fc.boolean(), (table, cut) => {
      const text = procText(table);
      const services = table.map(({ service: one }) => one);
      const found = ProcTable.parse(text, services);
      assert.ok(found);
      for (const { service: one, destinations } of table) {
        const rows = (list: readonly Destination[]) => list.map((dest) => destinationRow(one, dest, layout, format));
        assert.deepEqual(
          found.destinations(one).map((row) => destinationRow(one, row, layout, format)),
          rows(destinations),
        );
        const ipv4 = destinations.every(({ family }) => family === AF_INET);
        assert.equal(found.ipv4Rows(one, false), ipv4 ? rows(destinations).join('') : undefined);
        assert.equal(found.ipv4Rows(one, true), ipv4 ? rows(sortDestinations(destinations)).join('') : undefined);
      }
      if (services.length === 0) return;
      const other = services.map((one, at) => (at === services.length - 1 ? { ...one, port: one.port ^ 1 } : one));
      if (!services.at(-1)?.fwmark) assert.equal(ProcTable.parse(text, other), undefined);
      assert.equal(ProcTable.parse(text, services.slice(1)), undefined);
      assert.equal(ProcTable.parse(cut ? HEAD : '', services), undefined);
      assert.equal(ProcTable.parse(text.slice(0, -1), services), undefined);
    }),
    { numRuns: numRuns / 10 },
  );
});

/** glibc's qsort(3), a merge sort, with ipvsadm's comparison of destinations. */
function reference(list: readonly DestinationKey[]): DestinationKey[] {
  if (list.length < 2) return [...list];
  const half = list.length >> 1;
  const [left, right] = [reference(list.slice(0, half)), reference(list.slice(half))];
  const union = ({ address: bytes }: DestinationKey) => Buffer.concat([bytes, Buffer.alloc(16 - bytes.length)]);
  const compare = (a: DestinationKey, b: DestinationKey) =>
    (a.family === AF_INET6
      ? Buffer.compare(union(a), union(b))
      : (union(a).readUInt32BE() - union(b).readUInt32BE()) | 0) || a.port - b.port;
  const merged: DestinationKey[] = [];
  while (left[0] && right[0]) merged.push((compare(left[0], right[0]) <= 0 ? left : right).shift() as DestinationKey);
  return [...merged, ...left, ...right];
}

test("destinations are sorted in ipvsadm's order", () => {
  const either = fc.oneof(
    fc.constantFrom(...v4Places()),
    fc.record({ address, port: fc.nat({ max: 3 }) }),
    fc.record({ address: fc.constant(new Uint8Array(16)), port: fc.nat({ max: 3 }) }),
  );
  fc.assert(
    fc.property(fc.array(either, { maxLength: 12 }), (places) => {
      const list = places.map((place) => ({ ...place, family: familyOf(place.address) }));
      assert.deepEqual(sortDestinations(list), reference(list));
    }),
    { numRuns },
  );
});

/** Answers for a kernel with this table. */
function client(table: readonly ServiceWithDestinations[]): Ipvs {
  const answers = {
    services: async () => table.map(({ service: one }) => one),
    destinations: async (of: Service) => [...(table.find(({ service: one }) => one === of)?.destinations ?? [])],
  };
  return answers as unknown as Ipvs;
}

test('a malformed row is an error', () => {
  const [entry] = fc.sample(
    tables.filter(([first]) => (first?.destinations.length ?? 0) > 0),
    { numRuns: 1, seed: 1 },
  );
  const text = procText(entry ?? []);
  for (const wrong of [
    text.replace('Masq', '?'),
    text.replace(/ {2}-> (?=[0-9A-F[])/, '  ->  '),
    text.replace(/ \d+ +$/m, ''),
  ]) {
    const services = (entry ?? []).map(({ service: one }) => one);
    const table = ProcTable.parse(wrong, services);
    assert.throws(() => services.map((one) => table?.destinations(one)), MalformedError);
    assert.ok(services.some((one) => table?.ipv4Rows(one, false) === undefined));
  }
});

test('a table is read as its services and destinations, in order', async () => {
  await fc.assert(
    fc.asyncProperty(tables, fc.boolean(), async (table, sort) => {
      const entries: ServiceWithDestinations[] = [];
      for await (const page of readTable(client(table), { stats: false, sort })) entries.push(...page);
      const services = table.map(({ service: one }) => one);
      const wanted = (sort ? sortServices(services) : services).map((one) => {
        const destinations = [...(table.find((entry) => entry.service === one)?.destinations ?? [])];
        return { service: one, destinations: sort ? sortDestinations(destinations) : destinations };
      });
      assert.deepEqual(entries, wanted);
    }),
    { numRuns: numRuns / 20 },
  );
});
