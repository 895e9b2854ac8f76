// SPDX-License-Identifier: MIT
// npm run bench [-- [--json] [WORD...]]: figures, measured in the lab on the patched kernel; with WORDs only some of
// the benches below. Progress on stderr; the result, a table or JSON, on stdout.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatBench } from './lib/bench-table.mjs';
import { build } from './lib/build.mjs';
import { bundleForGuest } from './lib/guest-bundle.mjs';
import { runLive, runQuiet } from './lib/run.mjs';
import { ErrorReport, main, top } from './lib/say.mjs';
import { setup } from './lib/setup.mjs';

/**
 * Lab options of each bench, and the command that prepares its VM.
 * @type {Record<string, { options?: string[], ready?: string, host?: boolean }>}
 */
const benches = {
  // ksoftirqd runs first: work that it does after the sender would be counted in the next round.
  instructions: { options: ['--icount'], ready: 'chrt -f -p 50 $(pgrep -x ksoftirqd/0)' },
  refusals: { options: ['--icount'], ready: 'chrt -f -p 50 $(pgrep -x ksoftirqd/0)' },
  synproxy: { options: ['--icount'], ready: 'modprobe ip_vs && chrt -f -p 50 $(pgrep -x ksoftirqd/0)' },
  restore: { options: ['--icount'], ready: 'modprobe ip_vs && modprobe ip_vs_wrr' },
  traffic: { options: [], ready: 'modprobe ip_vs' },
  scale: { options: ['--mem', '4G'], ready: 'modprobe ip_vs && modprobe ip_vs_wrr' },
  checks: { options: ['--mem', '4G'], ready: 'modprobe ip_vs && modprobe ip_vs_wrr' },
  detect: { options: [], ready: 'modprobe ip_vs && modprobe ip_vs_wrr' },
  metrics: { options: ['--uml=plain', '--mem', '4G'], ready: 'modprobe ip_vs && modprobe ip_vs_wrr' },
  reading: { options: ['--icount'], ready: 'modprobe ip_vs && modprobe ip_vs_wrr' },
  // lvsd web alone, with rows of a process in the daemon's place.
  scrape: { host: true },
  // The host has no IPVS: the kernel's answers are bytes made before.
  loop: { host: true },
  // Reading a file needs no VM.
  config: { host: true },
  // Nor does checking on loopback.
  probes: { host: true },
};

/**
 * Builds a C program of test/bench; static, so that it runs in the guest as well.
 * @param {string} name
 */
function buildProgram(name) {
  const out = join(top, 'build/bench', name);
  mkdirSync(join(top, 'build/bench'), { recursive: true });
  const flags = ['-static', '-O2', '-std=gnu11', '-Wall', '-Wextra', '-Werror'];
  runQuiet(process.env.CC ?? 'cc', [...flags, '-o', out, join(top, 'test/bench', `${name}.c`)]);
  return out;
}

/**
 * @param {string} name
 * @param {Record<string, string>} env
 * @returns {Promise<unknown>}
 */
async function measure(name, env) {
  const [script = ''] = await bundleForGuest([`test/bench/${name}.ts`]);
  const { options, ready, host } = benches[name] ?? {};
  const command = `${ready} && exec "${process.execPath}" --enable-source-maps "${script}"`;
  const out = mkdtempSync(join(tmpdir(), 'lvsd-bench-'));
  try {
    const lab = [join(top, 'tools/lab.mjs'), '--timeout', '3000', ...(options ?? []), '--', 'sh', '-c', command];
    const code = await runLive(process.execPath, host ? ['--enable-source-maps', script] : lab, {
      // stdout is for the result alone.
      stdio: ['ignore', 2, 2],
      env: { ...process.env, ...env, LVSD_SKIP_BUILD: '1', LAB_OUT: out },
    });
    if (code !== 0) throw new ErrorReport(`bench ${name} failed (${code})`);
    return JSON.parse(readFileSync(join(out, `${name}.json`), 'utf8'));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

await main(async (args) => {
  const json = args.includes('--json');
  const words = args.filter((word) => word !== '--json');
  for (const word of words) {
    if (!(word in benches))
      throw new ErrorReport(`unknown bench ${word}; allowed: ${Object.keys(benches).join(', ')}`, 2);
  }
  await setup();
  await build();
  const env = {
    BENCH_SEGMENTS: buildProgram('segments'),
    BENCH_HEADROOM: buildProgram('headroom'),
    BENCH_LISTENER: buildProgram('listener'),
    BENCH_ANSWERER: buildProgram('answerer'),
    BENCH_CHECKER: buildProgram('checker'),
    BENCH_TOP: top,
  };
  /** @type {Record<string, unknown>} */
  const results = {};
  for (const name of words.length > 0 ? words : Object.keys(benches)) results[name] = await measure(name, env);
  process.stdout.write(json ? `${JSON.stringify(results, null, 2)}\n` : formatBench(results));
});
