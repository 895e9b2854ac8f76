// SPDX-License-Identifier: MIT
// Runs the segment fuzzer (segments.c, honest.c) once on the running kernel.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../support/random.ts';
import { compile, fuzzNetwork, writeChanges } from './network.ts';

interface Report {
  segments: number;
  flows: number;
  clientsChecked: number;
  opened: number[];
  closed: number[];
  said: string[];
}

/** Valid changes of services; the fuzzer starts again at the first when it has sent all. */
const CHANGES = 5000;

/** Sends `count` segments; throws if an honest connection saw anything wrong. */
export async function fuzzSegments(count: number, seed: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-fuzz-'));
  const program = join(dir, 'segments');
  const changes = join(dir, 'changes');
  compile(program, 'segments.c', 'honest.c');
  const network = await fuzzNetwork();
  try {
    await writeChanges(changes, CHANGES, new Random(seed), network.balancer);
    const toa = existsSync('/sys/module/toa') ? ['toa'] : [];
    const ran = spawnSync(program, [String(seed), String(count), changes, ...toa], { encoding: 'utf8' });
    console.log(ran.stdout.trim(), ran.stderr.trim());
    assert.notEqual(ran.stdout, '', `segments ended with ${ran.status ?? ran.signal}: ${ran.stderr}`);
    const report = JSON.parse(ran.stdout) as Report;
    assert.deepEqual(report.said, []);
    assert.equal(ran.status, 0);
    assert.deepEqual(report.closed, report.opened, 'every honest connection ended as it should');
    assert.ok(Math.min(...report.closed) > 0, 'every kind of service had some');
    assert.ok(report.flows > count / 2000, "some of the fuzzer's own connections were opened");
    await network.ipvs.flush();
  } finally {
    await network.destroy();
  }
}
