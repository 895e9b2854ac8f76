// SPDX-License-Identifier: MIT
// Formats the results of npm run bench as tables in Markdown, as in docs/benchmarks.md.

/** @typedef {{ median: number, min: number, max: number }} Figure */
/** @typedef {any} Results what a file in test/bench wrote; its own types are there */

/**
 * @param {Figure} value
 * @param {number} digits
 */
const figure = ({ median, min, max }, digits) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;

/**
 * @param {string} title
 * @param {string[]} head
 * @param {string[][]} rows
 */
const table = (title, head, rows) =>
  [title, '', `| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`]
    .concat(rows.map((row) => `| ${row.join(' | ')} |`))
    .join('\n');

/** @type {Record<string, string>} */
const directions = { in: 'client to real server', out: 'real server to client' };

/** @type {Record<string, string>} */
const connectionKinds = { open: 'opening: 3 segments', whole: 'whole: 9 segments' };

/** @type {Record<string, (results: Results) => string>} */
const formats = {
  instructions: ({ segments, connections, memory }) =>
    [
      table(
        'Instructions for a packet on the balancer, more than plain forwarding takes',
        ['direction', 'data', 'forwarding', 'NAT', 'FULLNAT', 'FULLNAT / NAT', 'whole packet'],
        segments.map((/** @type {Results} */ one) => [
          directions[one.direction],
          `${one.length} bytes`,
          ...[one.forwarding, one.nat, one.fullnat].map((value) => figure(value, 0)),
          ...[one.ratio, one.whole].map((value) => figure(value, 2)),
        ]),
      ),
      table(
        'Instructions for a connection, more than the same segments take through a router',
        ['connection', 'router, with both ends', 'NAT', 'FULLNAT', 'FULLNAT / NAT'],
        connections.map((/** @type {Results} */ one) => [
          connectionKinds[one.what],
          ...[one.forwarding, one.nat, one.fullnat].map((value) => figure(value, 0)),
          figure(one.ratio, 2),
        ]),
      ),
      table(
        'Slab memory for an open connection, bytes',
        ['NAT', 'FULLNAT', 'FULLNAT / NAT'],
        memory.map((/** @type {Results} */ one) => [one.nat.toFixed(0), one.fullnat.toFixed(0), one.ratio.toFixed(2)]),
      ),
    ].join('\n\n'),
  refusals: ({ ports, accepted, refused, ratio }) =>
    table(
      'Instructions for a SYN, more than one that is dropped on receipt takes',
      ['local ports', 'accepted', 'refused, none free', 'refused / accepted'],
      [[String(ports), figure(accepted, 0), figure(refused, 0), figure(ratio, 2)]],
    ),
  synproxy: ({ syns, segments, connections }) =>
    [
      table(
        'Instructions for a SYN, more than one that is dropped on receipt takes',
        ['a listener’s SYN cookies', 'FULLNAT without SYN proxy', 'SYN proxy', 'SYN proxy / listener'],
        [[...[syns.listener, syns.fullnat, syns.proxied].map((value) => figure(value, 0)), figure(syns.ratio, 2)]],
      ),
      table(
        'Instructions for a packet on the balancer, more than plain forwarding takes',
        ['direction', 'data', 'FULLNAT', 'with SYN proxy', 'ratio', 'ratio of whole packets'],
        segments.map((/** @type {Results} */ one) => [
          directions[one.direction],
          `${one.length} bytes`,
          ...[one.fullnat, one.proxied].map((value) => figure(value, 0)),
          ...[one.ratio, one.whole].map((value) => figure(value, 2)),
        ]),
      ),
      table(
        'Instructions for a connection, with both ends',
        ['connection', 'FULLNAT', 'with SYN proxy', 'ratio'],
        connections.map((/** @type {Results} */ one) => [
          one.what === 'whole' ? 'whole' : 'whole, and 100 SYNs of a flood',
          ...[one.fullnat, one.proxied].map((value) => figure(value, 0)),
          figure(one.ratio, 2),
        ]),
      ),
    ].join('\n\n'),
  restore: ({ tables, start }) => {
    const columns = (/** @type {[string, string]} */ [one, other]) => [
      'what',
      `${one}, G`,
      `${other}, G`,
      'times',
      `${one}, MB`,
      `${other}, MB`,
    ];
    const row = (/** @type {Results} */ { what, work, times, memory }) => [
      what,
      ...work.map((/** @type {Figure} */ value) => figure(value, value.median < 1 ? 3 : 2)),
      figure(times, 2),
      ...memory.map((/** @type {Figure} */ value) => figure(value, 0)),
    ];
    return [
      table('Instructions for a table, in thousand millions', columns(['ipvsadm', 'lvsadm']), tables.map(row)),
      table('Instructions for one command, in thousand millions', columns(['lvsadm', 'node -e 0']), [row(start)]),
    ].join('\n\n');
  },
  scale: (results) =>
    table(
      '10,000 services with 4 real servers each',
      ['setup', 'what', 'keepalived', 'lvsd', 'lvsd / keepalived'],
      results.map((/** @type {Results} */ one) => [
        one.what,
        `${one.figure}, ${one.unit}`,
        ...[one.keepalived, one.lvsd].map((value) => figure(value, one.unit === 's' ? 2 : 0)),
        figure(one.ratio, 2),
      ]),
    ),
  checks: (results) =>
    table(
      'CPU for TCP checks, microseconds a check',
      ['asked for, per second', 'keepalived: reached', 'CPU', 'lvsd: reached', 'CPU', 'lvsd / keepalived'],
      results.map((/** @type {Results} */ one) => [
        String(one.asked),
        ...[one.keepalived, one.lvsd].flatMap(({ reached, cpu }) => [figure(reached, 0), figure(cpu, 0)]),
        figure(one.ratio, 2),
      ]),
    ),
  probes: (results) =>
    table(
      'CPU for checks on loopback, microseconds a check, and memory of the process that checks, MB',
      ['check', 'targets', 'a second', 'C: reached', 'CPU', 'MB', 'lvsd: reached', 'CPU', 'MB', 'CPU: lvsd / C'],
      results.map((/** @type {Results} */ one) => [
        one.type,
        String(one.targets),
        String(one.rate),
        ...[one.c, one.lvsd].flatMap(({ reached, cpu, memory }) => [
          figure(reached, 0),
          figure(cpu, 1),
          figure(memory, 0),
        ]),
        figure(one.ratio, 2),
      ]),
    ),
  detect: (results) =>
    table(
      'Seconds until the kernel’s table says so',
      ['failure', 'check', 'keepalived: out', 'back', 'lvsd: out', 'back'],
      results.map((/** @type {Results} */ one) => [
        one.failure,
        one.check,
        ...[one.keepalived, one.lvsd].flatMap((found) =>
          found ? [figure(found.out, 1), figure(found.back, 1)] : ['never', ''],
        ),
      ]),
    ),
  config: (results) =>
    table(
      'Milliseconds of CPU to load a configuration',
      ['services', 'MB', 'js-yaml alone', 'loadConfig', 'loadConfig / js-yaml', 'with one wrong key'],
      results.map((/** @type {Results} */ one) => [
        `${one.services} with ${one.realServers} real servers`,
        String(one.megabytes),
        ...[one.parser, one.load].map((value) => figure(value, 0)),
        figure(one.ratio, 2),
        figure(one.wrong, 0),
      ]),
    ),
  metrics: (results) =>
    table(
      'Metrics of 1,000 services (BENCH_SERVICES) with 4 real servers each, two scrapers every 5 s',
      ['what', 'figure'],
      results.map((/** @type {Results} */ one) => [one.what, `${one.figure.toFixed(3)} ${one.unit}`]),
    ),
  reading: (results) =>
    table(
      "A reading of the kernel's counters, instructions",
      ['what', 'instructions'],
      results.map((/** @type {Results} */ one) => [one.what, figure(one.figure, 0)]),
    ),
  loop: (results) =>
    table(
      "The daemon's event loop, 10,000 services with 4 real servers each, two scrapers every 5 s",
      ['what', 'figure'],
      results.map((/** @type {Results} */ one) => [one.what, `${one.figure.toFixed(3)} ${one.unit}`]),
    ),
  scrape: (results) =>
    table(
      'A scrape of lvsd web, 10,000 services with 4 real servers each',
      ['what', 'with gzip', 'plain'],
      results.map((/** @type {Results} */ one) => [
        `${one.what}, ${one.unit}`,
        ...[one.gzip, one.plain].map((value) => figure(value, 3)),
      ]),
    ),
  traffic: (results) =>
    table(
      'Traffic',
      ['what', 'plain forwarding', 'NAT', 'FULLNAT', 'FULLNAT / NAT'],
      results.map((/** @type {Results} */ one) => [
        `${one.what}, ${one.unit}`,
        ...[one.plain, one.nat, one.fullnat].map((value) => figure(value, 0)),
        figure(one.ratio, 2),
      ]),
    ),
};

/**
 * Formats results by the name of their bench; each figure is a median with the least and the greatest value.
 * @param {Record<string, Results>} results
 */
export function formatBench(results) {
  return `${Object.entries(results)
    .map(([name, value]) => formats[name]?.(value))
    .join('\n\n')}\n`;
}
