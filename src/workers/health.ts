// SPDX-License-Identifier: MIT
/** The health worker: the process that makes the probes. Started by the daemon. */
import { adoptClock } from '../base/clock.ts';
import { serveHealth } from '../health/worker/serve.ts';

adoptClock(process.argv[2]);
serveHealth();
