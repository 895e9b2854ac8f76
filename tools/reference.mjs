// SPDX-License-Identifier: MIT
// npm run reference: renders the reference in docs/configuration.md anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { build } from './lib/build.mjs';
import { page, withReference } from './lib/config-reference.mjs';
import { main, say, short } from './lib/say.mjs';

await main(async () => {
  await build();
  writeFileSync(page, withReference(readFileSync(page, 'utf8')));
  say(`wrote the reference of ${short(page)}`);
});
