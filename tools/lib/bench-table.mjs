// SPDX-License-Identifier: MIT
// What npm run bench prints: tables in Markdown, as docs/benchmarks.md has them.

const figure = ({ median, min, max }, digits) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;

const table = (title, head, rows) =>
  [title, '', `| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`]
    .concat(rows.map((row) => `| ${row.join(' | ')} |`))
    .join('\n');

const directions = { in: 'client to real server', out: 'real server to client' };

const formats = {
  instructions: (results) =>
    table(
      'Instructions for a packet on the balancer, more than plain forwarding takes',
      ['direction', 'data', 'forwarding', 'NAT', 'FULLNAT', 'FULLNAT / NAT', 'whole packet'],
      results.map((one) => [
        directions[one.direction],
        `${one.length} bytes`,
        ...[one.forwarding, one.nat, one.fullnat].map((value) => figure(value, 0)),
        ...[one.ratio, one.whole].map((value) => figure(value, 2)),
      ]),
    ),
  restore: (results) =>
    table(
      'Seconds for a table',
      ['what', 'lines', 'ipvsadm', 'lvsadm', 'times faster'],
      results.map((one) => [
        one.what,
        String(one.lines),
        figure(one.ipvsadm, 2),
        figure(one.lvsadm, 2),
        figure(one.faster, 1),
      ]),
    ),
  traffic: (results) =>
    table(
      'Traffic',
      ['what', 'plain forwarding', 'NAT', 'FULLNAT', 'FULLNAT / NAT'],
      results.map((one) => [
        `${one.what}, ${one.unit}`,
        ...[one.plain, one.nat, one.fullnat].map((value) => figure(value, 0)),
        figure(one.ratio, 2),
      ]),
    ),
};

/** The text for results by name; each figure is a median with the least and the greatest value. */
export function formatBench(results) {
  return `${Object.entries(results)
    .map(([name, value]) => formats[name](value))
    .join('\n\n')}\n`;
}
