// SPDX-License-Identifier: MIT
/** The health worker's thread for regular expressions. */
import { serveMatches } from '../health/http/match.ts';

serveMatches();
