// SPDX-License-Identifier: MIT
/** The verb events. */
import { readEventsOptions } from '../events-options.ts';
import { verb } from './verb.ts';

export const EVENTS = {
  events: verb({
    method: 'events',
    words: '',
    help: 'stored events; those of a service, a real server or a kind',
    options: ['follow', 'after', 'since', 'service', 'server', 'kind', 'limit'],
    read: (_words, options) => readEventsOptions(options, Date.now()),
    // Printed one by one as they arrive: ../events.ts.
    print: () => '',
  }),
};
