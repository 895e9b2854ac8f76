// SPDX-License-Identifier: MIT
/** The process that makes the probes; started by the daemon alone. */
import { serveChecker } from '../health/worker/serve.ts';

serveChecker();
