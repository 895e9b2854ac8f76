// SPDX-License-Identifier: MIT
/**
 * What a service with SYN proxy offers to clients: settings of the file, and for the others what checks of its real
 * servers have negotiated. Pure.
 */
import { type Negotiated, unpackNegotiated } from '../../health/negotiated.ts';
import { completeSynProxy, IP_VS_SYNPROXY_NO_WSCALE, type SynProxy } from '../../ipvs/index.ts';
import type { RuntimeState } from './runtime-state.ts';
import type { HealthTarget, RealServer, VirtualService } from './virtual-services.ts';

/**
 * Settings that are undefined stay as the kernel has them: until every real server that is up has been checked, a
 * restarted daemon knows less than the one before. Without checks that tell, they are the defaults.
 */
export function synProxyOffer(service: VirtualService, runtime: RuntimeState): SynProxy | undefined {
  const given = service.config.synProxy;
  if (!given?.enabled) return given;
  const observed = service.realServers.flatMap((server) => {
    const target = observedTarget(server);
    return target ? [{ server, target }] : [];
  });
  if (observed.length === 0) return completeSynProxy(given);
  const known = observed
    .filter(({ server }) => !runtime.isDown(server))
    .map(({ target }) => runtime.negotiated(target.id));
  if (known.length === 0 || known.includes(0)) return given;
  const found = offerFor(known.map(unpackNegotiated));
  return {
    enabled: true,
    mss: given.mss ?? found.mss,
    windowScale: given.windowScale ?? found.windowScale,
    sack: given.sack ?? found.sack,
    timestamps: given.timestamps ?? found.timestamps,
    window: given.window,
  };
}

/** The target of a check that connects as clients' connections do: to the real server's own address and port. */
function observedTarget({ targets, destination }: RealServer): HealthTarget | undefined {
  return targets.find(
    ({ check, port }) => check.type !== 'exec' && check.address === undefined && port === destination.port,
  );
}

/**
 * What all of them do. The largest of several window scales: the others are translated, and no window is cut off.
 */
function offerFor(all: readonly Negotiated[]): Required<Omit<SynProxy, 'enabled' | 'window'>> {
  const scales = all.flatMap(({ windowScale }) => windowScale ?? []);
  return {
    mss: Math.min(...all.map(({ mss }) => mss)),
    windowScale: scales.length === 0 ? IP_VS_SYNPROXY_NO_WSCALE : Math.max(...scales),
    sack: all.every(({ sack }) => sack),
    timestamps: all.every(({ timestamps }) => timestamps),
  };
}
