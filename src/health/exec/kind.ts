// SPDX-License-Identifier: MIT
import type { CheckKind } from '../common/kind.ts';
import { resolveExec } from './resolve.ts';
import type { ExecCheck, execCheckSchema } from './schema.ts';

export const exec: CheckKind<typeof execCheckSchema, ExecCheck> = {
  schema: async () => (await import('./schema.ts')).execCheckSchema,
  group: 'exec',
  needsPort: false,
  lane: 'programs',
  resolve: resolveExec,
  prober: async () => (await import('./prober.ts')).execProber,
};
