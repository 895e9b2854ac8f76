// SPDX-License-Identifier: MIT
// Runs the segment fuzzer (segments.c, honest.c) once on the running kernel.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordFigures } from '../../support/figures.ts';
import { Random } from '../../support/random.ts';
import { compile, fuzzNetwork, writeChanges } from './network.ts';

export interface Report {
  segments: number;
  flows: number;
  changes: number;
  sysctls: number;
  seconds: number;
  clientsChecked: number;
  opened: number[];
  closed: number[];
  bytes: number[];
  messages: string[];
}

/** Valid changes of services; the fuzzer starts again at the first when it has sent all. */
const CHANGES = 5000;

/** The number of segments for one network: a long run sets up a new network for each part, with another seed. */
const PART = 250_000;

/** Sends `count` segments, in parts whose seeds count up from `seed`, and records the figures under `name`. */
export async function fuzzSegments(name: string, count: number, seed: number): Promise<void> {
  const totals = { seed, parts: 0, segments: 0, flows: 0, changes: 0, sysctls: 0, seconds: 0, clientsChecked: 0 };
  const honest = { connections: 0, bytes: 0 };
  for (let left = count; left > 0; left -= PART) {
    const report = await fuzzPart(Math.min(left, PART), seed + totals.parts);
    totals.parts += 1;
    for (const key of ['segments', 'flows', 'changes', 'sysctls', 'seconds', 'clientsChecked'] as const) {
      totals[key] = Math.round(10 * (totals[key] + report[key])) / 10;
    }
    honest.connections += sum(report.closed);
    honest.bytes += sum(report.bytes);
    recordFigures(name, { ...totals, honest });
    if (count > PART) console.log(`${totals.segments} of ${count} segments after ${totals.seconds} s`);
  }
}

const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0);

/** Throws if an honest connection failed. */
async function fuzzPart(count: number, seed: number): Promise<Report> {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-fuzz-'));
  const program = join(dir, 'segments');
  const changes = join(dir, 'changes');
  compile(program, 'segments.c', 'honest.c');
  const network = await fuzzNetwork();
  try {
    await writeChanges(changes, CHANGES, new Random(seed), network.balancer);
    const toa = existsSync('/sys/module/toa') ? ['toa'] : [];
    const ran = spawnSync(program, [String(seed), String(count), changes, ...toa], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    console.log(ran.stdout.trim());
    assert.notEqual(ran.stdout, '', `segments ended with ${ran.status ?? ran.signal}`);
    const report = JSON.parse(ran.stdout) as Report;
    assert.deepEqual(report.messages, []);
    assert.equal(ran.status, 0);
    assert.deepEqual(report.closed, report.opened, 'every honest connection ended properly');
    assert.ok(Math.min(...report.closed) > 0, 'every kind of service had some');
    assert.ok(report.flows > count / 2000, "some of the fuzzer's own connections were opened");
    await network.ipvs.flush();
    return report;
  } finally {
    await network.destroy();
  }
}
