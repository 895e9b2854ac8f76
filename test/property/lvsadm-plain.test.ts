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
import { Lookup } from '../../src/ipvsadm/lookup.ts';
import { PlainRules } from '../../src/ipvsadm/plain-rules.ts';
import { parseProcTable } from '../../src/ipvsadm/proc-table.ts';
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

const place = fc.record({ address, port: fc.nat({ max: 65535 }) });
const services = fc.array(fc.tuple(place, fc.constantFrom(6, 17, 132), fc.nat({ max: 2 }), fc.array(place)), {
  maxLength: 6,
});

test('/proc/net/ip_vs: each service gets its real servers, or nothing is believed', () => {
  fc.assert(
    fc.property(services, fc.boolean(), (table, cut) => {
      let text = HEAD;
      const keys = table.map(([{ address: bytes, port }, protocol, fwmark, servers]) => {
        const at = `${host(bytes)}:${hex(port, 4).toUpperCase()}`;
        const name = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' }[protocol];
        text += fwmark ? `FWM  ${hex(fwmark, 8)} rr\n` : `${name}  ${at} rr ops \n`;
        for (const one of servers)
          text += `  -> ${host(one.address)}:${hex(one.port, 4).toUpperCase()}      Masq    1      2          3         \n`;
        return {
          ...{ family: (bytes.length === 4 ? AF_INET : AF_INET6) as Family, protocol, address: bytes, port, fwmark },
        };
      });
      const found = parseProcTable(text, keys);
      assert.ok(found);
      for (const [index, [, , , servers]] of table.entries()) {
        const rows = found.rows(index);
        assert.deepEqual(
          rows.map((row) => ({ address: row.address, port: row.port })),
          servers.map(({ address: at, port }) => ({ address: at, port })),
        );
        for (const { columns } of rows) assert.equal(columns, 'Masq    1      2          3         ');
      }
      if (keys.length === 0) return;
      const other = keys.map((key, index) => (index === keys.length - 1 ? { ...key, port: key.port ^ 1 } : key));
      if (!keys.at(-1)?.fwmark) assert.equal(parseProcTable(text, other), undefined);
      assert.equal(parseProcTable(text, keys.slice(1)), undefined);
      assert.equal(parseProcTable(cut ? HEAD : '', keys), undefined);
    }),
    { numRuns: numRuns / 10 },
  );
});
