// SPDX-License-Identifier: MIT
// npm run reference: renders the reference in docs/configuration.md and the list in docs/metrics.md anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { tsImport } from 'tsx/esm/api';
import { build } from './lib/build.mjs';
import { page, withReference } from './lib/config-reference.mjs';
import { metricsPage, withFamilies } from './lib/metrics-reference.mjs';
import { main, say, short } from './lib/say.mjs';

await main(async () => {
  await build();
  writeFileSync(page, withReference(readFileSync(page, 'utf8')));
  const { FAMILIES } = await tsImport('../src/control/metrics/families.ts', import.meta.url);
  writeFileSync(metricsPage, withFamilies(readFileSync(metricsPage, 'utf8'), FAMILIES));
  say(`wrote the reference of ${short(page)} and the list of ${short(metricsPage)}`);
});
