// SPDX-License-Identifier: MIT
import type { CheckKind } from '../common/kind.ts';
import type { TcpCheck, tcpCheckSchema } from './schema.ts';

export const tcp: CheckKind<typeof tcpCheckSchema, TcpCheck> = {
  schema: async () => (await import('./schema.ts')).tcpCheckSchema,
  group: 'tcp',
  needsPort: true,
  lane: 'sockets',
  resolve: (_source, common) => ({ type: 'tcp', ...common }),
  prober: async () => (await import('./prober.ts')).tcpProber,
};
