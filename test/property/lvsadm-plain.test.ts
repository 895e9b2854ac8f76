// SPDX-License-Identifier: MIT
// The short way from a rule to a request, and from /proc to a listing, against the long ones: byte for byte the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AF_INET, AF_INET6, type Family } from '../../src/base/addresses.ts';
import { destinationAttributes, serviceAttributes } from '../../src/ipvs/codec.ts';
import { Additions, IPVS_CMD_NEW_DEST, IPVS_CMD_NEW_SERVICE } from '../../src/ipvs/index.ts';
import { COMMAND, type CommandAttributes } from '../../src/ipvs/tables.ts';
import { parse } from '../../src/ipvsadm/grammar.ts';
import { destinationRow, layoutFor } from '../../src/ipvsadm/layouts.ts';
import type { ServiceWithDestinations } from '../../src/ipvsadm/listing.ts';
import { Lookup } from '../../src/ipvsadm/lookup.ts';
import { PlainRules } from '../../src/ipvsadm/plain-rules.ts';
import { listProcTable } from '../../src/ipvsadm/proc-listing.ts';
import { Ipv4Rows, parseProcTable } from '../../src/ipvsadm/proc-table.ts';
import { sortDestinations, sortServices } from '../../src/ipvsadm/sort.ts';
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

/** The request of the long way. */
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

test('a rule that is taken the short way is the request of the grammar', () => {
  let taken = 0;
  fc.assert(
    fc.property(rule, fc.nat({ max: 3 }), fc.constantFrom('', '\n-A', ' -w 1'), (text, before, after) => {
      const additions = new Additions(FAMILY);
      const data = Buffer.from(`${'-'.repeat(before)}${text}${after}`);
      if (!new PlainRules(additions).take(data, before, before + text.length)) return;
      taken++;
      assert.equal(additions.count, 1);
      assert.deepEqual(additions.finish(), byGrammar(text));
    }),
    { numRuns },
  );
  assert.ok(taken > numRuns / 20, `only ${taken} rules were taken`);
});

test('many in one buffer follow one another, and the last alone asks for its ack', () => {
  const additions = new Additions(FAMILY);
  const rules = new PlainRules(additions);
  const lines = ['-A -t 192.0.2.1:80 -s rr', '-a -u 192.0.2.1:53 -r 10.0.0.1:53 -g -w 0', '-A -u 192.0.2.1:53 -s wlc'];
  for (const line of lines) assert.ok(rules.take(Buffer.from(line), 0, line.length));
  const messages = lines.map(byGrammar);
  for (const quiet of messages.slice(0, 2)) quiet.writeUInt16LE(NLM_F_REQUEST, 6);
  assert.deepEqual(additions.finish(), Buffer.concat(messages));
  additions.clear();
  let count = 0;
  while (!additions.full) {
    additions.addService(6, count, 80, 'rr');
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
        ...{ ...at, family: familyOf(at.address), method: 0, weight: 1, upperThreshold: 0, lowerThreshold: 0 },
        ...{ tunnelType: 0, tunnelPort: 0, tunnelFlags: 0, activeConnections, inactiveConnections },
        ...{ persistentConnections: 0, stats: undefined },
      })),
    };
  }),
);

/** Few, so that they meet, and some so far apart that ipvsadm's order is not transitive. */
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

const isIpv6 = ({ family }: { family: Family }) => family === AF_INET6;

/** As ip_vs_info_seq_show() writes it. */
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

test('/proc/net/ip_vs: each service gets its real servers, or nothing is believed', () => {
  fc.assert(
    fc.property(tables, fc.boolean(), (table, cut) => {
      const text = procText(table);
      const keys = table.map(({ service }) => service);
      const found = parseProcTable(Buffer.from(text), keys);
      assert.ok(found);
      for (const [index, { destinations }] of table.entries()) {
        const rows = found.rows(index);
        const wanted = destinations.map(({ family, address: bytes, port }) => ({ family, address: bytes, port }));
        assert.deepEqual(
          rows.map(({ family, address: bytes, port }) => ({ family, address: bytes, port })),
          wanted,
        );
        for (const { columns, end } of rows) assert.match(text.slice(columns, end), /^Masq {4}1 {6}\d+ +\d+ +$/);
        const plain = new Ipv4Rows();
        assert.equal(found.ipv4Rows(index, false, plain), !wanted.some(isIpv6));
        if (!wanted.some(isIpv6)) assert.equal(plain.count, wanted.length);
      }
      if (keys.length === 0) return;
      const other = keys.map((key, index) => (index === keys.length - 1 ? { ...key, port: key.port ^ 1 } : key));
      if (!keys.at(-1)?.fwmark) assert.equal(parseProcTable(Buffer.from(text), other), undefined);
      assert.equal(parseProcTable(Buffer.from(text), keys.slice(1)), undefined);
      assert.equal(parseProcTable(Buffer.from(cut ? HEAD : ''), keys), undefined);
    }),
    { numRuns: numRuns / 10 },
  );
});

test('what is listed from it is what is listed from netlink', () => {
  const layout = layoutFor(new Set());
  const format = { exact: false, names: undefined, wide: false };
  fc.assert(
    fc.property(tables, fc.boolean(), (table, sort) => {
      const services = table.map(({ service }) => service);
      const proc = parseProcTable(Buffer.from(procText(table)), services);
      assert.ok(proc);
      let said = '';
      const take = (text: string | Uint8Array) => {
        said += typeof text === 'string' ? text : Buffer.from(text).toString();
      };
      const output = { out: take, err: () => {}, flush: () => {}, gone: false };
      listProcTable(proc, services, layout, format, sort, output);
      const destinations = new Map(table.map((entry) => [entry.service, [...entry.destinations]]));
      const wanted = (sort ? sortServices([...services]) : services).map((service) => {
        const list = destinations.get(service) ?? [];
        const rows = (sort ? sortDestinations(list) : list).map((one) => destinationRow(service, one, layout, format));
        return `${layout.service(service, format)}\n${rows.join('')}`;
      });
      assert.equal(said, wanted.join(''));
    }),
    { numRuns: numRuns / 10 },
  );
});
