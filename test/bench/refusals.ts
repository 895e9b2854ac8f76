// SPDX-License-Identifier: MIT
// Runs in the lab with --icount, where the clock counts instructions: those of a SYN for which no local port is free.
// Writes $LAB_OUT/refusals.json.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spread } from './figures.ts';
import { synCosts } from './refusal.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
const ports = 25_000;

const costs = await synCosts(ports, rounds, (text) => process.stderr.write(`bench: refusals: ${text}\n`));
const results = {
  ports,
  rounds,
  accepted: spread(costs.map(({ accepted }) => accepted)),
  refused: spread(costs.map(({ refused }) => refused)),
  ratio: spread(costs.map(({ accepted, refused }) => refused / accepted)),
};
writeFileSync(join(process.env.LAB_OUT ?? '.', 'refusals.json'), `${JSON.stringify(results, null, 2)}\n`);
