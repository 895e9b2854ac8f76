// SPDX-License-Identifier: MIT
// npm run setup: only the set-up that every other command does by itself.
import { main } from './lib/say.mjs';
import { setup } from './lib/setup.mjs';

await main(setup);
