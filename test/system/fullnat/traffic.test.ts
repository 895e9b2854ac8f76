// SPDX-License-Identifier: MIT
// also: --kernel 6.12
// FULLNAT under traffic: every byte is right in both directions, and the real server sees every client's address and
// port. One run at defaults, then ten rows of conditions that cover every pair of their values (rows.ts). Outside the full
// run each kernel has a part of the rows: 6.12 those with GRO, which makes lists there, and one of each other offload; 6.1
// the others, and one with GRO.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { after, before, test } from 'node:test';
import { recordFigures } from '../../support/figures.ts';
import { Captures } from './checksums.ts';
import { packets } from './conntrack.ts';
import { extStats, nonZero, queueDrops, snmp, toaStats } from './counters.ts';
import { mergesIntoLists } from './rig.ts';
import { defaults, describeRow, missingPairs, type Row, rows } from './rows.ts';
import { compile, type Load, type Programs, type Report, Site } from './site.ts';

const full = process.env.LVSD_COUNTS === 'full';
const MB = 1_000_000;

const first = (wanted: string) => rows.find(({ offload }) => offload === wanted);
const on612 = rows.filter((row) => row.offload === 'gro' || row === first('gso') || row === first('off'));
const on61 = rows.filter((row) => !on612.includes(row) || row === first('gro'));
const chosen = full ? rows : release().startsWith('6.12') ? on612 : on61;

interface Counts {
  downloads: Load;
  uploads: Load;
  short: Load;
}

/** Bytes of a short connection, which fit into one segment. */
const short = { length: 300 };
const atDefaults: Counts = full
  ? {
      downloads: { count: 200, parallel: 200, length: 10 * MB, seconds: 600 },
      uploads: { count: 200, parallel: 200, length: MB, seconds: 300 },
      short: { count: 20_000, parallel: 200, seconds: 600, ...short },
    }
  : {
      downloads: { count: 40, parallel: 40, length: MB },
      uploads: { count: 20, parallel: 20, length: MB },
      short: { count: 1000, parallel: 100, ...short },
    };
const inRows: Counts = full
  ? {
      downloads: { count: 40, parallel: 40, length: MB },
      uploads: { count: 40, parallel: 40, length: MB },
      short: { count: 500, parallel: 50, ...short },
    }
  : {
      downloads: { count: 8, parallel: 8, length: MB / 2 },
      uploads: { count: 8, parallel: 8, length: MB / 2 },
      short: { count: 60, parallel: 20, ...short },
    };

let programs: Programs;
const figures: Record<string, unknown>[] = [];
const captures = new Captures();

before(() => {
  const run = (command: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    assert.equal(status, 0, `${command} ${args.join(' ')}: ${stderr}`);
  };
  run('modprobe', 'ip_vs');
  if (existsSync('/sys/module/toa')) run('rmmod', 'toa');
  run('modprobe', 'toa', 'trust=10.31.3.0/24');
  programs = compile();
});

after(() => {
  spawnSync('rmmod', ['toa']);
  recordFigures('traffic', { rows: figures });
});

test('the rows cover every pair of values', () => {
  assert.deepEqual(missingPairs(), []);
});

test(`at defaults: ${describe(atDefaults)}`, () => play(defaults, atDefaults));

for (const [index, row] of rows.entries()) {
  if (!chosen.includes(row)) continue;
  test(`row ${index + 1}: ${describeRow(row)}: ${describe(inRows)}`, () => play(row, inRows));
}

test('with tx offload off tshark finds every IP and TCP checksum on both sides correct', () => {
  const verdicts = [...captures.verify()];
  const legs = 2 * chosen.filter(({ offload }) => offload === 'off').length;
  assert.equal(verdicts.length, legs);
  figures.push({ checksums: verdicts.map(([capture, { segments, bad }]) => ({ capture, segments, bad: bad.length })) });
  for (const [capture, { segments, bad }] of verdicts) {
    assert.ok(segments > 1000, `${capture}: only ${segments} segments`);
    assert.deepEqual(bad.slice(0, 5), [], capture);
  }
});

function describe({ downloads, uploads, short }: Counts): string {
  const bulk = (load: Load) => `${load.count} x ${load.length / MB} MB`;
  return `${bulk(downloads)} down, ${bulk(uploads)} up, ${short.count} short`;
}

async function play(row: Row, counts: Counts): Promise<void> {
  const site = await Site.open(row, programs, Math.max(counts.downloads.length, counts.uploads.length));
  const problems: string[] = [];
  const figure: Record<string, unknown> = { conditions: describeRow(row) };
  figures.push(figure);
  const dropsBefore = queueDrops();
  let connections = 0;
  try {
    const phases = [
      ['short', 'get', counts.short],
      ['downloads', 'get', counts.downloads],
      ['uploads', 'put', counts.uploads],
    ] as const;
    for (const [name, direction, load] of phases) {
      const report = await site.flows(direction, load);
      problems.push(...checkReport(name, report, load));
      connections += report.connections;
      figure[name] = { count: report.ok, bytes: report.bytes, seconds: report.seconds };
    }
    if (row.offload === 'off') {
      connections += await captured(site, problems);
    }
    figure.queueDrops = queueDrops() - dropsBefore;
    problems.push(...checkCounters(site, connections, figure));
    problems.push(...checkConntrack(site, connections, figure));
  } finally {
    await site.close();
  }
  if (site.odd !== undefined) {
    figure.oddSegments = site.odd.changed;
    if (site.odd.changed < connections) problems.push(`only ${site.odd.changed} segments had their options moved`);
  }
  console.log(JSON.stringify(figure));
  assert.deepEqual(problems, []);
}

function checkReport(name: string, report: Report, load: Load): string[] {
  const { ok, failed, wrongBytes, wrongPeer, examples } = report;
  if (ok === load.count && failed + wrongBytes + wrongPeer === 0) return [];
  const sums = `${ok} of ${load.count} right, ${failed} failed, ${wrongBytes} wrong bytes, ${wrongPeer} wrong address`;
  return [`${name}: ${sums}`, ...examples.map((example) => `${name}: ${example}`)];
}

/** A little traffic of each kind while both legs of the balancer are captured; the number of connections. */
async function captured(site: Site, problems: string[]): Promise<number> {
  const label = describeRow(site.row);
  const ends = [
    await captures.start(`${label}, client leg`, site.lvs.router, 'lb0'),
    await captures.start(`${label}, server leg`, site.lvs.inside, 'lb0'),
  ];
  const bulk = { count: 6, parallel: 6, length: 200_000 };
  const loads = [
    ['get', bulk],
    ['put', bulk],
    ['get', { count: 20, parallel: 10, ...short }],
  ] as const;
  for (const [direction, load] of loads) {
    problems.push(...checkReport(`captured ${direction}`, await site.flows(direction, load), load));
  }
  await Promise.all(ends.map((end) => end()));
  return loads.reduce((sum, [, { count }]) => sum + count, 0);
}

function checkCounters(site: Site, connections: number, figure: Record<string, unknown>): string[] {
  const { client, balancer, rs1, rs2 } = site.lvs;
  const problems: string[] = [];
  const expect = (what: string, value: number | undefined, right: (value: number) => boolean) => {
    if (value === undefined || !right(value)) problems.push(`${what} is ${value}`);
  };
  const ext = extStats(balancer);
  for (const name of ['fullnat_toa_lost', 'fullnat_malformed', 'fullnat_exhausted', 'fullnat_laddr_nonlocal']) {
    expect(name, ext[name], (value) => value === 0);
  }
  expect('fullnat_add_toa_ok', ext.fullnat_add_toa_ok, (value) => value >= connections);
  // Segments in a list have a header each, to be translated one by one.
  if (site.row.offload === 'gro' && mergesIntoLists())
    expect('fullnat_gso_split', ext.fullnat_gso_split, (value) => value > 0);
  const toa = [toaStats(rs1), toaStats(rs2)];
  const both = (name: string) => toa.reduce((sum, stats) => sum + (stats[name] ?? Number.NaN), 0);
  for (const name of ['probe_missed', 'syn_recv_sock_no_toa', 'syn_recv_sock_untrusted', 'toa_malformed']) {
    expect(`${name} of toa`, both(name), (value) => value === 0);
  }
  expect('syn_recv_sock_toa', both('syn_recv_sock_toa'), (value) => value >= connections);
  const retransmitted: Record<string, number> = {};
  for (const where of [client, rs1, rs2]) {
    const tcp = snmp(where, 'Tcp');
    expect(`${where.name}: InCsumErrors`, tcp.InCsumErrors, (value) => value === 0);
    expect(`${where.name}: InHdrErrors`, snmp(where, 'Ip').InHdrErrors, (value) => value === 0);
    retransmitted[where.name] = tcp.RetransSegs ?? Number.NaN;
  }
  // An end without receive memory drops segments, which causes many retransmissions, with and without a balancer.
  const { PruneCalled, TCPRcvQDrop } = snmp(client, 'TcpExt');
  Object.assign(figure, { balancer: nonZero(ext), retransmitted, clientMemory: { PruneCalled, TCPRcvQDrop } });
  return problems;
}

function checkConntrack(site: Site, connections: number, figure: Record<string, unknown>): string[] {
  if (site.row.conntrack === 'absent') return [];
  const seen = packets(site.lvs.balancer.run(['nft', 'list', 'ruleset']).stdout);
  figure.conntrack = seen;
  // Each connection has at least three packets that conntrack must have tracked, or not.
  const [right, wrong] =
    site.row.conntrack === '1' ? (['established', 'untracked'] as const) : (['untracked', 'established'] as const);
  if (seen[right] >= 3 * connections && seen[wrong] === 0) return [];
  return [`conntrack: ${JSON.stringify(seen)} for ${connections} connections`];
}
