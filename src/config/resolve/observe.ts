// SPDX-License-Identifier: MIT
/** Resolves `web`, `metrics` and `events`. */
import { isLoopback, isUnspecified, type Listen, readListen } from '../../base/listen-address.ts';
import { DEFAULT_WEB, type WebSettings } from '../../base/web-settings.ts';
import { describe } from '../describe.ts';
import { DEFAULTS } from '../limits.ts';
import type { RawConfig } from '../schema.ts';
import type { EventSettings, MetricsSettings } from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { NamedFiles } from './files.ts';
import type { ProblemSink } from './problem-sink.ts';
import { durationOf } from './values.ts';

/** Milliseconds. */
const INTERVAL = { least: 1000, most: 600_000 };
const UNITS = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
const KEEP = { least: 64 << 10, most: 4 * 2 ** 30 };

export function resolveWeb({ web }: RawConfig, files: NamedFiles, problems: ProblemSink): WebSettings | undefined {
  if (!web) return undefined;
  const { listen = DEFAULT_WEB.listen[0] ?? '', serve = DEFAULT_WEB.serve, hosts = [], tls, users } = web;
  const { insecure = false } = web;
  const list = typeof listen === 'string' ? [listen] : listen;
  for (const [index, text] of list.entries()) {
    const path = ['web', 'listen', ...(typeof listen === 'string' ? [] : [index])] as const;
    const found = readListen(text);
    if (typeof found === 'string') problems.report(path, found);
    else
      judgeListen(found, text, { secure: tls !== undefined, users, clients: tls?.client_ca, insecure }, (wrong, ok) =>
        ok ? problems.warn(path, wrong) : problems.report(path, wrong),
      );
  }
  // The balancer does not need these files: only lvsd web refuses to start without them.
  const warn = (path: Path, text: string) => problems.warn(path, `${text}; lvsd web does not serve until then`);
  if (tls) {
    const wrong = files.certificate(tls.certificate, tls.key);
    if (wrong) warn(['web', 'tls', wrong.of], wrong.text);
    const authorities = tls.client_ca === undefined ? undefined : files.authorities(tls.client_ca);
    if (authorities !== undefined) warn(['web', 'tls', 'client_ca'], authorities);
  }
  const wrong = users === undefined ? undefined : files.users(users);
  if (wrong !== undefined) warn(['web', 'users'], wrong);
  return {
    listen: list,
    serve: [...serve],
    hosts,
    tls: tls && { certificate: tls.certificate, key: tls.key, clientCa: tls.client_ca },
    users,
    insecure,
  };
}

function judgeListen(
  found: Listen,
  text: string,
  {
    secure,
    users,
    clients,
    insecure,
  }: { secure: boolean; users: string | undefined; clients: string | undefined; insecure: boolean },
  tell: (text: string, allowed: boolean) => void,
): void {
  if (found.kind !== 'tcp' || isLoopback(found.host)) return;
  if (!secure && users !== undefined)
    tell(
      `found ${text}, which other machines can reach, with users and without tls; allowed: passwords with tls only`,
      false,
    );
  else if (!insecure && (!secure || (users === undefined && clients === undefined))) {
    const missing = secure ? 'users' : users === undefined && clients === undefined ? 'tls and users' : 'tls';
    tell(`found ${text}, which other machines can reach; allowed: with ${missing}, or insecure: true`, false);
  } else if (isUnspecified(found.host))
    tell(`${text} listens on the virtual and local addresses too; give one address of this node`, true);
}

export function resolveMetrics({ metrics = {} }: RawConfig, problems: ProblemSink): MetricsSettings {
  const { detail = DEFAULTS.metricsDetail, max_series: maxSeries = DEFAULTS.maxSeries } = metrics;
  let minInterval: number | string = DEFAULTS.minInterval;
  if (metrics.min_interval !== undefined) minInterval = durationOf(metrics.min_interval, INTERVAL.least, INTERVAL.most);
  if (typeof minInterval === 'string') problems.report(['metrics', 'min_interval'], minInterval);
  return { detail, maxSeries, minInterval: typeof minInterval === 'string' ? DEFAULTS.minInterval : minInterval };
}

export function resolveEvents({ events = {} }: RawConfig, problems: ProblemSink): EventSettings {
  const { keep, directory } = events;
  if (keep === undefined) return { keep: DEFAULTS.keepEvents, directory };
  const [, count, unit = 'MiB'] = /^(\d+)(\w+)$/.exec(keep) ?? [];
  const bytes = Number(count) * UNITS[unit as keyof typeof UNITS];
  const fits = bytes >= KEEP.least && bytes <= KEEP.most;
  if (!fits) problems.report(['events', 'keep'], `found ${describe(keep)}; allowed: 64KiB to 4GiB`);
  return { keep: fits ? bytes : DEFAULTS.keepEvents, directory };
}
