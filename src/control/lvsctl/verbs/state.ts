// SPDX-License-Identifier: MIT
/** Verbs that show services and real servers: status, history, metrics, top. */
import { UsageError } from '../../../base/errors.ts';
import { filterStatus } from '../filter.ts';
import { historyText } from '../history.ts';
import { readMetricsOptions } from '../metrics-options.ts';
import { briefText, statusText } from '../status.ts';
import { readTopOptions } from '../top/options.ts';
import { verb } from './verb.ts';

const SERVER_STATES = ['up', 'down', 'unchecked', 'draining'] as const;
const isServerState = (text: string | undefined): text is (typeof SERVER_STATES)[number] =>
  SERVER_STATES.some((state) => state === text);

export const STATE = {
  status: verb({
    method: 'status',
    words: '[SERVICE]',
    help: 'services, their real servers, check results and numbers of connections',
    options: ['brief', 'down', 'server', 'state', 'watch'],
    read: ([service], { state }) => {
      if (state !== undefined && !isServerState(state))
        throw new UsageError(`--state takes ${SERVER_STATES.join(', ')}, not ${state}`);
      return service === undefined ? {} : { service };
    },
    select: (status, { down, server, state }) =>
      filterStatus(status, { down, server, state: isServerState(state) ? state : undefined }),
    print: (status, { paint, now, options }, whole) =>
      (options.brief ? briefText : statusText)(status, paint, now, whole.services),
  }),
  history: verb({
    method: 'history',
    words: '[SERVICE] SERVER',
    help: 'checks of a real server: transitions, last results, failures by reason',
    print: ({ servers }, { paint, now }) => historyText(servers, paint, now),
  }),
  metrics: verb({
    method: 'stats',
    words: '',
    help: 'metrics of services, real servers and lvsd, as text for Prometheus',
    options: ['detail', 'collect', 'max-series'],
    read: (_words, options) => {
      const { detail } = readMetricsOptions(options);
      return detail === undefined ? {} : { detail };
    },
    // Printed with the rows of `stats`: ../metrics.ts.
    print: () => '',
  }),
  top: verb({
    method: 'stats',
    words: '',
    help: 'services with their rates, worst first, until q is pressed',
    options: ['sort', 'interval', 'once', 'batch'],
    read: (_words, options) => {
      readTopOptions(options);
      return {};
    },
    // Drawn frame by frame: ../top/run.ts.
    print: () => '',
  }),
};
