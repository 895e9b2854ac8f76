// SPDX-License-Identifier: MIT
// also: --kernel 6.12
// A share of the segment fuzzer on Debian's own kernels, with two CPUs, and with toa on the real servers.
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { seed as someSeed } from '../../support/random.ts';
import { run } from '../fullnat/rig.ts';
import { fuzzSegments } from './segments.ts';

const seed = someSeed();
const full = process.env.LVSD_COUNTS === 'full';
const count = Number(process.env.LVSD_FUZZ ?? (full ? 500_000 : 20_000));

test(`${count} segments, seed ${seed}: honest connections lose no byte and show the client to accept()`, async () => {
  if (!existsSync('/sys/module/toa')) run('modprobe', 'toa', 'trust=10.31.3.0/24');
  await fuzzSegments('segments', count, seed);
});
