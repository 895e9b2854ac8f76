// SPDX-License-Identifier: MIT
/** Resolves one service. */
import { AF_INET } from '../../base/addresses.ts';
import { listOf } from '../describe.ts';
import { DEFAULTS, LONGEST_DRAIN, LONGEST_TIMEOUT } from '../limits.ts';
import type { RawForward, RawService } from '../schema.ts';
import { closest } from '../suggest.ts';
import type {
  Defence,
  Forward,
  LocalAddressPool,
  RealServerSpec,
  ServiceSpec,
  SynProxyOffer,
  Virtual,
} from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { Context } from './context.ts';
import { resolveForward } from './forward.ts';
import { resolveHooks } from './hooks.ts';
import type { RawCheckLayer } from './inheritance.ts';
import type { ProblemSink } from './problem-sink.ts';
import { resolveServers, resolveSorry } from './servers.ts';
import { durationOf, secondsOf } from './values.ts';

/** Keys that the rules about protocols and forwarding combine. */
const OF_FORWARDING = [
  'address',
  'family',
  'port',
  'protocol',
  'fwmark',
  'forward',
  'local_addresses',
  'real_servers',
  'sorry_server',
  'persistence',
  'one_packet',
  'syn_proxy',
];

/** Seconds. */
const LONGEST_PERSISTENCE = 31 * 86_400;
const FTP = 21;

/** The resolved service. Problems are reported; invalid keys then have their defaults. */
export function resolveService(
  name: string,
  raw: RawService,
  virtuals: readonly Virtual[],
  context: Context,
): ServiceSpec {
  const { problems, defaults } = context;
  const path = ['services', name];
  const family = virtuals[0]?.family;
  const check: RawCheckLayer | undefined =
    raw.check === undefined
      ? context.defaultCheck
      : { raw: raw.check, path: [...path, 'check'], base: context.defaultCheck };
  const checks = (raw.checks ?? []).map((one, index) => ({ raw: one, path: [...path, 'checks', index], base: check }));
  const written = raw.forward ?? defaults.forward ?? DEFAULTS.forward;
  const forward = resolveForward(written, (key, text) => {
    // Problems of the default are reported at the default.
    if (raw.forward !== undefined) problems.report([...path, 'forward', key], text);
  });
  const weight = defaults.weight ?? DEFAULTS.weight;
  const around = { path, virtuals, family, forward, check, checks, weight };
  const realServers = resolveServers(raw.real_servers, around, context);
  const sorryServer =
    raw.sorry_server === undefined ? undefined : resolveSorry(raw.sorry_server, around, realServers, context);
  const methods = [
    forward,
    ...realServers.map((server) => server.forward),
    ...(sorryServer ? [sorryServer.forward] : []),
  ];
  const used = realServers.length > 0 || sorryServer ? methods.slice(1) : methods;
  const spec: ServiceSpec = {
    name,
    virtuals,
    device: raw.fwmark === undefined ? (raw.device ?? defaults.device) : undefined,
    ...scheduling(name, raw, context),
    onePacket: raw.one_packet ?? false,
    persistence: persistenceOf(name, raw, virtuals, context),
    synProxy: synProxyOf(raw),
    defence: defenceOf(name, raw, context),
    localAddresses: poolOf(name, raw, used, context),
    establishedTimeout: establishedOf(name, raw, context),
    ...quorumOf(name, raw, realServers, context),
    sorryServer,
    onFailure: raw.on_failure ?? defaults.on_failure ?? DEFAULTS.onFailure,
    drain: drainOf(name, raw, context),
    hooks: raw.hooks ? resolveHooks(raw.hooks, [...path, 'hooks'], context.files, problems) : context.defaultHooks,
    realServers,
  };
  if (isUncertain(name, OF_FORWARDING, problems)) return spec;
  checkOnePacket(spec, raw, context);
  if (virtuals.some(({ port, fwmark }) => port === 0 && fwmark === 0) && !spec.persistence)
    problems.report([...path, 'port'], 'found 0 (all ports) without persistence; allowed: with persistence');
  if (used.some(({ method }) => method === 'fullnat')) checkFullnat(spec, raw, context);
  if (spec.synProxy) checkSynProxy(spec, used, context);
  if (spec.defence) checkDefence(spec, context);
  return spec;
}

/** Whether the schema rejected one of these keys, in the service or in the defaults. */
function isUncertain(name: string, keys: readonly string[], problems: ProblemSink): boolean {
  return problems.isInvalidService(name, keys) || keys.some((key) => problems.isInvalid('defaults', key));
}

const FLAGS = {
  'flag-1': { flag: 'flag-1', scheduler: undefined },
  'flag-2': { flag: 'flag-2', scheduler: undefined },
  'flag-3': { flag: 'flag-3', scheduler: undefined },
  'sh-fallback': { flag: 'flag-1', scheduler: 'sh' },
  'sh-port': { flag: 'flag-2', scheduler: 'sh' },
  'mh-fallback': { flag: 'flag-1', scheduler: 'mh' },
  'mh-port': { flag: 'flag-2', scheduler: 'mh' },
} as const;

function scheduling(name: string, raw: RawService, { problems, defaults }: Context) {
  const scheduler = raw.scheduler ?? defaults.scheduler ?? DEFAULTS.scheduler;
  const flags = new Set<ServiceSpec['schedulerFlags'][number]>();
  for (const [index, word] of (raw.scheduler_flags ?? []).entries()) {
    const { flag, scheduler: only } = FLAGS[word];
    const path = ['services', name, 'scheduler_flags', index];
    if (only !== undefined && only !== scheduler && !isUncertain(name, ['scheduler'], problems))
      problems.report(path, `found ${word} with the scheduler ${scheduler}; allowed: with ${only} only`);
    else if (flags.has(flag)) problems.report(path, `found ${word}, whose flag is in the list already; allowed: once`);
    flags.add(flag);
  }
  return { scheduler, schedulerFlags: [...flags].sort() };
}

function persistenceOf(name: string, raw: RawService, virtuals: readonly Virtual[], { problems }: Context) {
  if (!raw.persistence) return undefined;
  const path = ['services', name, 'persistence'];
  const { timeout: text, granularity, engine = '' } = raw.persistence;
  let timeout: number = DEFAULTS.persistenceTimeout / 1000;
  if (text !== undefined) {
    const seconds = secondsOf(text, 1, LONGEST_PERSISTENCE);
    if (typeof seconds === 'string') problems.report([...path, 'timeout'], seconds);
    else timeout = seconds;
  }
  const bits = virtuals[0]?.family === AF_INET ? 32 : 128;
  if (granularity !== undefined && granularity > bits && virtuals.length > 0)
    problems.report([...path, 'granularity'], `found ${granularity} in an IPv4 service; allowed: 1 to 32`);
  if (engine !== '' && virtuals.some(({ protocol, fwmark }) => protocol !== 'udp' || fwmark !== 0))
    problems.report([...path, 'engine'], `found ${engine} in a service that is not udp alone; allowed: protocol udp`);
  return { timeout, granularity: granularity ?? bits, engine };
}

function poolOf(
  name: string,
  raw: RawService,
  used: readonly Forward[],
  context: Context,
): LocalAddressPool | undefined {
  const { problems, defaults, pools } = context;
  const path = ['services', name];
  const fullnat = used.some(({ method }) => method === 'fullnat');
  const wanted = raw.local_addresses ?? (fullnat ? defaults.local_addresses : undefined);
  const whole = !isUncertain(name, ['forward', 'local_addresses', 'real_servers', 'sorry_server'], problems);
  if (wanted === undefined) {
    if (fullnat && whole)
      problems.report(
        fullnatPath(name, raw),
        'found fullnat without local_addresses; allowed: with local_addresses, the name of a pool',
      );
    return undefined;
  }
  if (!fullnat && whole)
    problems.report(
      [...path, 'local_addresses'],
      'found local_addresses with no real server forwarded by fullnat; allowed: with fullnat only',
    );
  const pool = pools.get(wanted);
  // An unknown name in the defaults is reported there.
  if (!pool && raw.local_addresses !== undefined && !problems.isInvalid('local_addresses', wanted))
    problems.report([...path, 'local_addresses'], unknownPool(wanted, pools));
  return fullnat ? pool : undefined;
}

/** The problem of a name that is not one of the pools. */
export function unknownPool(wanted: string, pools: ReadonlyMap<string, unknown>): string {
  const names = [...pools.keys()];
  const near = closest(wanted, names);
  const allowed =
    names.length === 0 ? 'a pool under the top-level local_addresses, and there is none' : listOf(names, 'or');
  return `found the unknown pool "${wanted}"; allowed: ${allowed}${near === undefined ? '' : ` (did you mean ${near}?)`}`;
}

function synProxyOf({ syn_proxy: raw }: RawService): SynProxyOffer | undefined {
  if (!raw) return undefined;
  const given = raw === true ? {} : raw;
  return {
    mss: given.mss,
    windowScale: given.window_scale,
    sack: given.sack,
    timestamps: given.timestamps,
    window: given.window ?? DEFAULTS.window,
  };
}

function defenceOf(name: string, { defence: raw }: RawService, { problems }: Context): Defence | undefined {
  if (!raw) return undefined;
  const { drop_strays: dropStrays = false, drop_fragments: dropFragments = false, syn_rate: synRate = 0 } = raw;
  if (raw.syn_burst !== undefined && raw.syn_rate === undefined)
    problems.report(['services', name, 'defence', 'syn_burst'], 'found syn_burst without syn_rate; allowed: with it');
  if (!dropStrays && !dropFragments && synRate === 0) return undefined;
  return { dropStrays, dropFragments, synRate, synBurst: synRate === 0 ? 1 : (raw.syn_burst ?? synRate) };
}

function establishedOf(name: string, raw: RawService, { problems, defaults }: Context): number | undefined {
  const own = raw.timeouts?.established;
  const text = own ?? defaults.timeouts?.established;
  if (text === undefined) return undefined;
  const seconds = secondsOf(text, 1, LONGEST_TIMEOUT);
  if (typeof seconds === 'number') return seconds;
  if (own !== undefined) problems.report(['services', name, 'timeouts', 'established'], seconds);
  return undefined;
}

function drainOf(name: string, raw: RawService, { problems, defaults }: Context): number {
  const text = raw.drain ?? defaults.drain;
  if (text === undefined) return DEFAULTS.drain;
  const milliseconds = durationOf(text, 0, LONGEST_DRAIN);
  if (typeof milliseconds === 'number') return milliseconds;
  if (raw.drain !== undefined) problems.report(['services', name, 'drain'], milliseconds);
  return DEFAULTS.drain;
}

function quorumOf(name: string, raw: RawService, servers: readonly RealServerSpec[], { problems, defaults }: Context) {
  const quorum = raw.quorum ?? defaults.quorum ?? DEFAULTS.quorum;
  const hysteresis = raw.hysteresis ?? defaults.hysteresis ?? DEFAULTS.hysteresis;
  const path = ['services', name];
  const sum = servers.reduce((total, { weight }) => total + weight, 0);
  const explicit = raw.quorum !== undefined || defaults.quorum !== undefined;
  const uncertain = isUncertain(name, ['quorum', 'hysteresis', 'weight', 'real_servers'], problems);
  if (uncertain || servers.length < raw.real_servers.length) return { quorum, hysteresis };
  const [quorumPath, hysteresisPath] = (['quorum', 'hysteresis'] as const).map((key) =>
    raw[key] === undefined ? path : [...path, key],
  ) as [string[], string[]];
  const weights = `${sum}, the sum of the weights`;
  if (quorum > sum && (explicit || sum > 0))
    problems.report(quorumPath, `found quorum ${quorum}, which is never met; allowed: at most ${weights}`);
  else if (hysteresis >= quorum)
    problems.report(
      hysteresisPath,
      `found hysteresis ${hysteresis} with quorum ${quorum}; allowed: less than the quorum`,
    );
  else if (hysteresis > 0 && quorum + hysteresis > sum) {
    const found = `found quorum ${quorum} with hysteresis ${hysteresis}, which together are never met`;
    problems.report(hysteresisPath, `${found}; allowed: at most ${weights}, for both`);
  }
  return { quorum, hysteresis };
}

function checkOnePacket({ name, onePacket, virtuals }: ServiceSpec, raw: RawService, { problems }: Context): void {
  if (!onePacket || raw.one_packet === undefined) return;
  if (virtuals.some(({ protocol, fwmark }) => protocol !== 'udp' && fwmark === 0))
    problems.report(
      ['services', name, 'one_packet'],
      'found one_packet in a tcp service; allowed: udp, or a firewall mark',
    );
}

/** Rejects services that lvsd's kernel modules do not support with FULLNAT. */
function checkFullnat(spec: ServiceSpec, raw: RawService, { problems }: Context): void {
  const has =
    notPlainTcp(spec, 'FULLNAT') ??
    (spec.virtuals.some(({ port }) => port === FTP)
      ? 'in an FTP service (port 21); allowed: masquerade, direct or tunnel'
      : spec.persistence !== undefined && spec.persistence.engine !== ''
        ? 'with a persistence engine; allowed: persistence by address'
        : undefined);
  if (has !== undefined) problems.report(fullnatPath(spec.name, raw), `found fullnat ${has}`);
}

/** Rejects SYN proxy where the kernel has none, unless FULLNAT is rejected there for the same reason. */
function checkSynProxy(spec: ServiceSpec, used: readonly Forward[], { problems }: Context): void {
  const other = used.find(({ method }) => method !== 'fullnat' && method !== 'masquerade');
  const has = other
    ? `in a service with ${other.method}; allowed: with fullnat and masquerade`
    : used.some(({ method }) => method === 'fullnat')
      ? undefined
      : (notPlainTcp(spec, 'SYN proxy') ??
        (spec.virtuals.some(({ port }) => port === FTP)
          ? 'in an FTP service (port 21); allowed: other ports'
          : undefined));
  if (has !== undefined) problems.report(['services', spec.name, 'syn_proxy'], `found syn_proxy ${has}`);
}

/** Rejects a defence where the kernel has none. */
function checkDefence({ name, virtuals, defence }: ServiceSpec, { problems }: Context): void {
  const path = ['services', name, 'defence'];
  if (virtuals.some(({ protocol, fwmark }) => protocol !== 'tcp' && fwmark === 0))
    problems.report(path, 'found defence in a udp service; allowed: tcp, the only protocol of defence so far');
  else if (defence?.dropFragments && virtuals.some(({ family, fwmark }) => family !== AF_INET || fwmark !== 0))
    problems.report(
      [...path, 'drop_fragments'],
      'found drop_fragments in a service without an IPv4 address; allowed: with an IPv4 address',
    );
}

/** Names the parts of a service that `feature` does not support. */
function notPlainTcp({ virtuals }: ServiceSpec, feature: string): string | undefined {
  const [first] = virtuals;
  if (!first) return undefined;
  if (first.fwmark !== 0) return 'in a firewall mark service; allowed: address and port';
  if (virtuals.some(({ protocol }) => protocol !== 'tcp'))
    return `in a udp service; allowed: tcp, the only protocol of ${feature} so far`;
  if (first.family !== AF_INET) return `in an IPv6 service; allowed: IPv4, the only family of ${feature} so far`;
  if (virtuals.some(({ port }) => port === 0)) return 'in a service of all ports; allowed: a port, or a range of ports';
  return undefined;
}

/** Path of `fullnat` in the service or its first real server that has it; of the service, if it is a default. */
function fullnatPath(name: string, raw: RawService): Path {
  const path = ['services', name];
  if (raw.forward !== undefined) return [...path, 'forward'];
  const isFullnat = ({ forward }: { forward?: RawForward }) =>
    forward === 'fullnat' || (typeof forward === 'object' && forward.method === 'fullnat');
  const index = raw.real_servers.findIndex((server) => typeof server !== 'string' && isFullnat(server));
  if (index >= 0) return [...path, 'real_servers', index, 'forward'];
  const sorry = raw.sorry_server;
  return typeof sorry === 'object' && isFullnat(sorry) ? [...path, 'sorry_server', 'forward'] : path;
}
