// SPDX-License-Identifier: MIT
// Networks of two to five VRRP routers under partitions, loss, pauses, crashes, faults, reloads and operators.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random, seed as someSeed } from '../support/random.ts';
import { Network } from './vrrp-network.ts';

const FAULTS = process.env.LVSD_COUNTS === 'full' ? 5_000_000 : 50_000;
/** Faults that one network sees. */
const PER_NETWORK = 200;

/**
 * Seeds that found faults. 1: a reload changed `downAfter`, and the running timer stayed as it was. 900956878: the priority
 * of a backup fell to that of the master which it was about to preempt, and it took over nevertheless.
 */
const FOUND = [1, 900956878] as const;

function simulate(seed: number): Network {
  const network = new Network(new Random(seed));
  try {
    network.run(PER_NETWORK);
  } catch (error) {
    throw new Error(`network of seed ${seed} (${network.describe()}): ${error}`, { cause: error });
  }
  return network;
}

for (const seed of FOUND) test(`seed ${seed}`, () => void simulate(seed));

const start = someSeed();

test(`${FAULTS} faults, seeds from ${start}: addresses are on one router, and on the right one`, () => {
  let [takeovers, converged, events] = [0, 0, 0];
  for (let round = 0; round < FAULTS / PER_NETWORK; round++) {
    const network = simulate(start + round);
    takeovers += network.takeovers;
    converged += network.converged;
    events += network.events;
  }
  console.log(`${FAULTS} faults, ${events} events, ${takeovers} takeovers, ${converged} times settled`);
  assert.ok(takeovers > FAULTS / 4, `${takeovers} takeovers`);
  assert.ok(converged > FAULTS / 10, `${converged} times settled`);
});
