// SPDX-License-Identifier: MIT
// Loaded into a daemon by NODE_OPTIONS: appends a line to $BENCH_STRETCHES for each time that its event loop did not come
// to a timer of 10 ms for 20 ms or longer: the instant (ms since the epoch), how long, and for how much of that the daemon
// had a CPU, in milliseconds.
'use strict';
const { appendFileSync } = require('node:fs');

const file = process.env.BENCH_STRETCHES;
const PERIOD = 10;
const LEAST = 20;

/** Milliseconds on a CPU, of all threads. */
function used() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

let before = performance.now();
let usedBefore = used();
setInterval(() => {
  const now = performance.now();
  const usedNow = used();
  if (now - before >= LEAST + PERIOD)
    appendFileSync(file, `${Date.now()} ${(now - before - PERIOD).toFixed(1)} ${(usedNow - usedBefore).toFixed(1)}\n`);
  before = performance.now();
  usedBefore = used();
}, PERIOD).unref();
