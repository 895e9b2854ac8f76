// SPDX-License-Identifier: MIT
// npm run build: bundles and addon, from scratch.
import { build } from './lib/build.mjs';
import { main } from './lib/say.mjs';
import { setup } from './lib/setup.mjs';

await main(async () => {
  await setup();
  await build({ force: true });
});
