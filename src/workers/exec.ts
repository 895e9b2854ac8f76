// SPDX-License-Identifier: MIT
/** The process that starts the programs of exec checks; started by the health worker. */
import { serveExec } from '../health/exec/serve.ts';

serveExec();
