// SPDX-License-Identifier: MIT
// npm run lab: set-up and build, then the lab itself (lab/cli.ts). A caller that has done both sets LVSD_SKIP_BUILD.
import { build } from './lib/build.mjs';
import { ErrorReport, main } from './lib/say.mjs';
import { setup } from './lib/setup.mjs';

await main(async (args) => {
  if (!process.env.LVSD_SKIP_BUILD) {
    await setup();
    await build();
  }
  const { register } = await import('tsx/esm/api');
  register();
  const { lab } = await import('../lab/cli.ts');
  try {
    // No process.exit(): the process ends by itself once stdout and stderr are written.
    return await lab(args);
  } catch (error) {
    if (error instanceof Error && error.name === 'Error' && 'exitCode' in error)
      throw new ErrorReport(error.message, Number(error.exitCode));
    throw error;
  }
});
