// SPDX-License-Identifier: MIT
// lab: --stock
// Random tables and random wishes on a stock kernel.
import { after, before, test } from 'node:test';
import { Kernel, round } from './plan/rounds.ts';

const ROUNDS = process.env.LVSD_COUNTS === 'full' ? 400 : 30;
let kernel: Kernel;

before(() => {
  kernel = new Kernel(false);
});
after(() => kernel.close());

test(`${ROUNDS} random tables become what is wished for, and ipvsadm and ip see it`, {
  timeout: 3_000_000,
}, async () => {
  for (let seed = 1; seed <= ROUNDS; seed++) await round(kernel, seed);
});
