// SPDX-License-Identifier: MIT
// lab: --uml
// Malformed and forged segments against every kind of service, with honest connections beside them (docs/fuzzing.md).
import { test } from 'node:test';
import { seed as someSeed } from '../../support/random.ts';
import { kernelLog } from '../fullnat/rig.ts';
import { kernelIsClean, nothingLeaks } from './kernel.ts';
import { unloadModules } from './network.ts';
import { fuzzSegments } from './segments.ts';

const seed = someSeed();
const count = Number(process.env.LVSD_FUZZ ?? (process.env.LVSD_COUNTS === 'full' ? 5_000_000 : 100_000));

test(`${count} segments, seed ${seed}: honest connections lose no byte, the kernel no memory`, async () => {
  await fuzzSegments('segments', count, seed);
  await unloadModules();
  await nothingLeaks();
  kernelIsClean(kernelLog());
});
