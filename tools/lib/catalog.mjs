// SPDX-License-Identifier: MIT
// The journal's message catalog, which `journalctl -x` shows beneath an entry: what each kind of event says. From
// src/control/events/, in the format of systemd's catalog files (https://systemd.io/CATALOG).
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { top } from './say.mjs';

export const catalogOutput = join(top, 'build/journal/lvsd.catalog');

/**
 * An entry for each kind.
 * @param {Readonly<Record<string, string>>} kinds
 * @param {Readonly<Record<string, string>>} ids
 */
export function catalog(kinds, ids) {
  return Object.entries(kinds)
    .map(
      ([kind, text]) => `-- ${ids[kind]}
Subject: ${kind}
Defined-By: lvsd
Documentation: man:lvsctl(8)

${text.replaceAll('`', '')}
`,
    )
    .join('\n');
}

export async function buildCatalog() {
  // The set-up, which imports this file, may not have run yet.
  const { tsImport } = await import('tsx/esm/api');
  const { KINDS } = await tsImport('../../src/control/events/kinds.ts', import.meta.url);
  const { MESSAGE_IDS } = await tsImport('../../src/control/events/message-ids.ts', import.meta.url);
  mkdirSync(dirname(catalogOutput), { recursive: true });
  writeFileSync(catalogOutput, catalog(KINDS, MESSAGE_IDS));
}
