// SPDX-License-Identifier: MIT
// npm run demo: set-up and build, then test/demo inside the lab. Exits with 0 only if all of its claims hold.
import { build } from './lib/build.mjs';
import { bundleForGuest } from './lib/guest-bundle.mjs';
import { runLive } from './lib/run.mjs';
import { main, top } from './lib/say.mjs';
import { setup } from './lib/setup.mjs';

await main(async () => {
  await setup();
  await build();
  const [demo = ''] = await bundleForGuest(['test/demo/demo.ts']);
  const env = { ...process.env, LVSD_SKIP_BUILD: '1', DEMO_COLOR: process.stdout.isTTY ? '1' : '0' };
  const lab = [`${top}/tools/lab.mjs`, '--timeout', '600', '--', process.execPath, '--enable-source-maps', demo];
  return await runLive(process.execPath, lab, { env });
});
