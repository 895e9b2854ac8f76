// SPDX-License-Identifier: MIT
/** The verbs of lvsctl, each declared once: command line and help are derived from this table, in its order. */
import { CONFIGURATION } from './configuration.ts';
import { EVENTS } from './events.ts';
import { PAUSE } from './pause.ts';
import { REAL_SERVERS } from './real-servers.ts';
import { STATE } from './state.ts';
import type { Verb } from './verb.ts';
import { VIRTUAL_ROUTERS } from './virtual-routers.ts';

export const VERBS: Readonly<Record<string, Verb>> = {
  ...STATE,
  ...VIRTUAL_ROUTERS,
  ...CONFIGURATION,
  ...REAL_SERVERS,
  ...PAUSE,
  ...EVENTS,
};
