// SPDX-License-Identifier: MIT
/** The checker's thread for regular expressions. */
import { serveMatches } from '../health/http/match.ts';

serveMatches();
