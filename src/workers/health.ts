// SPDX-License-Identifier: MIT
/** The health worker: the process that makes the probes. Started by the daemon. */
import { serveHealth } from '../health/worker/serve.ts';

serveHealth();
