// SPDX-License-Identifier: MIT
// Every counter of FULLNAT, SYN proxy and defence in /proc/net/ip_vs_ext_stats is moved by a system test, or is a row of the
// old file format that the series never counts.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { KERNEL_COUNTERS, parseKernelCounters } from '../../src/control/metrics/kernel-counters.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(top, 'kernel-patches/6.1');
const added = readdirSync(folder)
  .filter((name) => name.endsWith('.patch'))
  .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
  .filter((line) => line.startsWith('+'));
const names = [
  ...new Set(added.flatMap((line) => /"((?:fullnat|synproxy|defence)_[a-z_]+)",?$/.exec(line)?.[1] ?? [])),
];
const sysctls = added.flatMap((line) => /(?:procname\s*= |IP_VS_SYSCTL\()"([a-z_]+)"/.exec(line)?.[1] ?? []);
const counted = new Set(
  added.flatMap((line) => [...line.matchAll(/\bIP_VS_EXT_(?:INC|ADD)\([^,]+, ([A-Z_]+)/g)].map(([, name]) => name)),
);
const tests = ['fullnat', 'synproxy'].flatMap((name) => {
  const suite = join(top, 'test/system', name);
  return readdirSync(suite)
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(suite, file), 'utf8'));
});

/**
 * Rows of the old format: other protocols than TCP, headers that are full, states that do not occur or whose connections
 * are not replaced, and what the old SYN proxy counted of faults that this one does not have.
 */
const ALWAYS_0 = [
  'fullnat_add_toa_fail_proto',
  'fullnat_add_toa_head_full',
  'fullnat_conn_reused_lastack',
  'synproxy_null_ack',
  'synproxy_ackstorm',
  'synproxy_conn_reused_finwait',
  'synproxy_conn_reused_closewait',
  'defence_udp_drop',
];
/** The state occurs only where IPVS sees one direction of a connection, and SYN proxy sees both. */
const UNREACHED = ['synproxy_conn_reused_lastack'];
/** The kernel has to run out of memory in the middle of a packet; no test can cause that from outside. */
const NO_MEMORY = ['fullnat_add_toa_fail_mem'];

test('each counter that the kernel counts is in an assertion of a system test', () => {
  const counters = names.filter((name) => !sysctls.includes(name));
  assert.ok(counters.length > 40, counters.join(' '));
  for (const name of counters) {
    const isCounted = counted.has(name.toUpperCase());
    assert.equal(isCounted, !ALWAYS_0.includes(name), `${name}: counted by the kernel`);
    const isTested = tests.some((text) => new RegExp(`\\b${name}\\b`).test(text));
    const isExpected = isCounted && ![...NO_MEMORY, ...UNREACHED].includes(name);
    assert.equal(isTested, isExpected, `${name}: named by a test`);
  }
});

test('each row that the kernel counts is a metric, and no other is', () => {
  const rows = [...new Set(added.flatMap((line) => /"([a-z_]+)",?$/.exec(line)?.[1] ?? []))];
  const found = rows.filter((row) => counted.has(row.toUpperCase()));
  assert.deepEqual(found.sort(), Object.keys(KERNEL_COUNTERS).sort());
  const lines = [...rows, 'new_row'].map((row) => `${row.padEnd(25)}:         1          2 \n`);
  const parsed = parseKernelCounters(`${' '.repeat(34)}CPU0       CPU1       \n${lines.join('')}`);
  for (const row of [...found, 'new_row']) assert.equal(parsed[row], 3, row);
  for (const row of ALWAYS_0) assert.equal(parsed[row], undefined, row);
});

test('docs/synproxy.md lists each counter of SYN proxy and defence that the kernel counts', () => {
  const text = readFileSync(join(top, 'docs/synproxy.md'), 'utf8');
  const listed = [...text.matchAll(/^\| (`(?:synproxy|defence)_[^|]*)\|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name),
  );
  const expected = names.filter((name) => /^(synproxy|defence)_/.test(name) && counted.has(name.toUpperCase()));
  assert.ok(expected.length > 10);
  assert.deepEqual(listed.sort(), expected.sort());
});
