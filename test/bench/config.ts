// SPDX-License-Identifier: MIT
/**
 * Time to load a large configuration, beside js-yaml alone on the same text in the same process.
 *
 *     node --import tsx test/bench/config.ts [SERVICES [REAL_SERVERS]]
 *
 * Prints the median CPU time of several rounds, by turns, and of a file with one wrong key.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { ConfigError, loadConfig } from '../../src/config/index.ts';
import { spread } from './figures.ts';

const ROUNDS = 7;

/** A typical file: most keys of a service, real servers as maps. */
export function largeConfig(services: number, realServers: number): string {
  const lines = ['version: 1', 'defaults: { scheduler: wrr, check: { type: tcp, interval: 5s } }', 'services:'];
  for (let service = 0; service < services; service++) {
    const [high, low] = [service >> 8, service & 255];
    lines.push(
      `  service-${String(service).padStart(5, '0')}:`,
      `    address: 10.${100 + (high >> 8)}.${high & 255}.${low}`,
      '    port: 443',
      '    forward: masquerade',
      '    scheduler: wlc',
      '    quorum: 2',
      '    on_failure: inhibit',
      '    check: { type: http, path: /healthz, host: shop.example, interval: 5s, timeout: 2s }',
      '    real_servers:',
    );
    for (let server = 0; server < realServers; server++)
      lines.push(
        `      - address: 172.${16 + (server & 15)}.${high & 255}.${low}`,
        '        port: 8443',
        '        weight: 2',
        `        name: backend-${String(service).padStart(5, '0')}-${server}`,
      );
  }
  return `${lines.join('\n')}\n`;
}

/** Milliseconds of CPU time, the garbage collector's threads included; depends little on the load of the machine. */
const time = (run: () => unknown): number => {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
};
const median = (values: number[]) => spread(values).median;

function main(services: number, realServers: number): void {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-config-'));
  try {
    const [good, bad] = [join(dir, 'good.yaml'), join(dir, 'bad.yaml')];
    const text = largeConfig(services, realServers);
    writeFileSync(good, text);
    const last = text.lastIndexOf('quorum');
    writeFileSync(bad, `${text.slice(0, last)}qourum${text.slice(last + 'quorum'.length)}`);
    const rounds = { parser: [] as number[], load: [] as number[], wrong: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      rounds.parser.push(time(() => load(readFileSync(good, 'utf8'))));
      rounds.load.push(time(() => loadConfig(good)));
      rounds.wrong.push(
        time(() => {
          try {
            loadConfig(bad);
          } catch (error) {
            if (!(error instanceof ConfigError) || error.problems.length !== 1) throw error;
          }
        }),
      );
    }
    const [parser, whole, wrong] = [median(rounds.parser), median(rounds.load), median(rounds.wrong)];
    const megabytes = (statSync(good).size / 1e6).toFixed(1);
    console.log(
      `${services} services x ${realServers} real servers, ${megabytes} MB, CPU time, median of ${ROUNDS} rounds:`,
    );
    console.log(`  js-yaml alone        ${parser.toFixed(0)} ms`);
    console.log(
      `  loadConfig           ${whole.toFixed(0)} ms  (${(whole / parser).toFixed(2)} times the parser alone)`,
    );
    console.log(`  with one wrong key   ${wrong.toFixed(0)} ms`);
    // Set by `npm run bench`.
    const out = process.env.LAB_OUT;
    if (out === undefined) return;
    const ratios = rounds.load.map((value, i) => value / (rounds.parser[i] ?? Number.NaN));
    const figures = { parser: spread(rounds.parser), load: spread(rounds.load), wrong: spread(rounds.wrong) };
    const row = {
      services,
      realServers,
      megabytes: Number(megabytes),
      rounds: ROUNDS,
      ...figures,
      ratio: spread(ratios),
    };
    writeFileSync(join(out, 'config.json'), `${JSON.stringify([row], null, 2)}\n`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

main(Number(process.argv[2] ?? 10_000), Number(process.argv[3] ?? 10));
