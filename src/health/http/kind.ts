// SPDX-License-Identifier: MIT
import type { CheckKind } from '../common/kind.ts';
import { resolveHttp, resolveHttps } from './resolve.ts';
import type { HttpCheck, httpCheckSchema, httpsCheckSchema } from './schema.ts';

export const http: CheckKind<typeof httpCheckSchema, HttpCheck> = {
  schema: async () => (await import('./schema.ts')).httpCheckSchema,
  group: 'http',
  needsPort: true,
  lane: 'sockets',
  resolve: resolveHttp,
  prober: async () => (await import('./prober.ts')).httpProber,
};

export const https: CheckKind<typeof httpsCheckSchema, HttpCheck> = {
  schema: async () => (await import('./schema.ts')).httpsCheckSchema,
  group: 'http',
  needsPort: true,
  lane: 'sockets',
  resolve: resolveHttps,
  prober: async () => (await import('./prober.ts')).httpProber,
};
