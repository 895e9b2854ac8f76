// SPDX-License-Identifier: MIT
/** The process that makes the probes; started by the daemon alone. */
import { serveHealth } from '../health/worker/serve.ts';

serveHealth();
