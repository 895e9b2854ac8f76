// SPDX-License-Identifier: MIT
// npm run soak [-- [--kernel LINE] [--seed N] DURATION]: the fuzzers again and again on the debug kernel with kmemleak,
// each round with another seed, until DURATION (90m, 8h, 2d; 1h) is over or a round fails; docs/fuzzing.md.
// npm run soak -- vrrp [--kernel LINE] [DURATION]: a pair of lvsd beside a pair of keepalived under load; docs/vrrp.md.
import { build } from './lib/build.mjs';
import { bundleForGuest } from './lib/guest-bundle.mjs';
import { runLive } from './lib/run.mjs';
import { ErrorReport, main, say, top } from './lib/say.mjs';
import { setup } from './lib/setup.mjs';
import { parseSoak, soakEnd, vrrpRounds } from './lib/soak.mjs';
import { inLab } from './lib/tiers.mjs';

const fuzzers = ['test/system/fuzz/segments.test.ts', 'test/system/fuzz/netlink.test.ts'];

/** Segments and netlink messages of a round, which is one boot of the kernel. */
const COUNT = process.env.LVSD_FUZZ ?? '250000';

/**
 * @param {string} line
 * @param {number} seconds
 */
async function soakVrrp(line, seconds) {
  const files = ['test/system/vrrp/hogs.test.ts'];
  const options = ['--stock', '--uml=plain', '--kernel', line];
  await bundleForGuest(files);
  for (const [index, round] of vrrpRounds(seconds).entries()) {
    say(`soak: round ${index + 1}, ${round} s`);
    const env = { LVSD_COUNTS: 'full', LVSD_SKIP_BUILD: '1', LVSD_SOAK_SECONDS: String(round) };
    const { failed, passed, figures } = await inLab({ options, files }, { env });
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    if (failed > 0 || passed === 0) return 1;
  }
  return 0;
}

await main(async (args) => {
  const { what, line, seed, seconds } = parseSoak(args);
  await setup();
  await build();
  if (what === 'vrrp') return soakVrrp(line, seconds);
  const files = fuzzers;
  await bundleForGuest(files);
  const options = ['--uml', '--kernel', line, '--append', 'kmemleak=on'];
  const env = { LVSD_COUNTS: 'full', LVSD_SKIP_BUILD: '1', LVSD_FUZZ: COUNT };
  const ready = await runLive(process.execPath, [`${top}/tools/lab.mjs`, ...options, '--prepare'], {
    env: { ...process.env, ...env },
  });
  if (ready !== 0) throw new ErrorReport('cannot prepare the debug kernel', ready);

  const started = Date.now();
  const elapsed = () => Math.round((Date.now() - started) / 1000);
  let rounds = 0;
  do {
    const roundSeed = seed + rounds * 1000;
    say(`soak: round ${rounds + 1}, seed ${roundSeed}, after ${elapsed()} of ${seconds} s`);
    const { failed, passed } = await inLab({ options, files }, { env: { ...env, LVSD_SEED: String(roundSeed) } });
    if (failed > 0 || passed < files.length) {
      process.stdout.write(
        `${soakEnd({ line, rounds, count: Number(COUNT), seconds: elapsed(), failedSeed: roundSeed })}\n`,
      );
      return 1;
    }
    rounds += 1;
  } while (elapsed() < seconds);
  process.stdout.write(`${soakEnd({ line, rounds, count: Number(COUNT), seconds: elapsed() })}\n`);
  return 0;
});
