// SPDX-License-Identifier: MIT
/**
 * The exec helper: the process that starts programs. Started by the health worker for checks, by the daemon for hooks.
 */
import { serveExec } from '../health/exec/serve.ts';

serveExec();
