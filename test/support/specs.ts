// SPDX-License-Identifier: MIT
// Parts of configurations, for tests without a file.
import { AF_INET } from '../../src/base/addresses.ts';
import type { Config, RealServerSpec, ServiceSpec } from '../../src/config/types.ts';

export const tcpCheck = {
  ...({ type: 'tcp', interval: 1000, timeout: 500, rise: 1, fall: 2, start: 'auto' } as const),
  ...{ address: undefined, port: 0, bind: undefined, fwmark: 0 },
};

/** 10.31.0.N:80, weight 1, checked by tcp. */
export function realServer(n: number, change: Partial<RealServerSpec> = {}): RealServerSpec {
  return {
    ...{ name: `10.31.0.${n}:80`, family: AF_INET, address: Uint8Array.of(10, 31, 0, n), port: 80 },
    ...{ weight: 1, forward: { method: 'masquerade' as const }, upperThreshold: 0, lowerThreshold: 0, check: tcpCheck },
    moreChecks: [],
    ...change,
  };
}

/** tcp 10.99.0.1:80 with these real servers. */
export function service(name: string, realServers: RealServerSpec[], change: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    ...{ name, device: undefined, scheduler: 'rr', schedulerFlags: [], onePacket: false },
    virtuals: [{ family: AF_INET, protocol: 'tcp', address: Uint8Array.of(10, 99, 0, 1), port: 80, fwmark: 0 }],
    ...{
      synProxy: undefined,
      defence: undefined,
      persistence: undefined,
      localAddresses: undefined,
      establishedTimeout: undefined,
      quorum: 1,
      hysteresis: 0,
    },
    ...{ sorryServer: undefined, hooks: undefined, onFailure: 'remove' as const, drain: 0, realServers },
    ...change,
  };
}

export function config(services: ServiceSpec[], change: Partial<Config> = {}): Config {
  return {
    ...{ files: ['test.yaml'], warnings: [], manage: 'named' as const, onStop: 'keep' as const },
    timeouts: { tcp: undefined, tcpFin: undefined, udp: undefined },
    localAddresses: new Map(),
    vrrp: new Map(),
    connectionSync: undefined,
    services: new Map(services.map((one) => [one.name, one])),
    log: { level: 'info', format: 'text', levels: {} },
    ...{ checkConcurrency: 100, synProxySecret: undefined, resync: 30_000, web: undefined },
    metrics: { detail: 'real_servers', maxSeries: 600_000, minInterval: 5000 },
    events: { keep: 32 << 20, directory: undefined },
    ...change,
  };
}
