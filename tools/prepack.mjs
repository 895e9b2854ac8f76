// SPDX-License-Identifier: MIT
// Runs at the beginning of npm pack: builds everything that the package contains, or fails and so prevents the package.
import { build } from './lib/build.mjs';
import { runQuiet } from './lib/run.mjs';
import { ErrorReport, main } from './lib/say.mjs';
import { checkMachine, setupNpm } from './lib/setup.mjs';

await main(async () => {
  checkMachine();
  const compiler = process.env.CC ?? 'cc';
  try {
    runQuiet(compiler, ['-fsyntax-only', '-x', 'c', '-'], { input: '#include <stdlib.h>\n' });
  } catch {
    throw new ErrorReport(`${compiler} cannot compile C: apt-get install --no-install-recommends gcc libc6-dev`);
  }
  await setupNpm();
  await build({ force: true });
});
