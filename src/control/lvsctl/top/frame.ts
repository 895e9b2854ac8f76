// SPDX-License-Identifier: MIT
/** One frame of `lvsctl top` as lines. Pure. */
import { printable, printableValues, shortened } from '../../../base/printable.ts';
import { count } from '../../../base/words.ts';
import type { RealServerStatus } from '../../messages.ts';
import { type Column, table } from '../table.ts';
import type { Colour, Paint } from '../terminal.ts';
import { endpointText, short, spanText } from '../words.ts';
import type { PoolView, Rates, ServerView, ServiceState, ServiceView, View } from './model.ts';
import { type Screen, shown } from './screen.ts';

export interface Frame {
  view: View;
  screen: Screen;
  /** Real servers of the open service, with their states and reasons. */
  open: readonly RealServerStatus[];
  /** Milliseconds since the epoch. */
  now: number;
  /** Why the numbers are old. */
  problem?: string | undefined;
}

const COLOURS: Readonly<Record<ServiceState, Colour | undefined>> = {
  refused: 'red',
  down: 'red',
  sorry: 'yellow',
  degraded: 'yellow',
  up: 'green',
};
const BARS = '▁▂▃▄▅▆▇█';
/** Characters of the curve of connections. */
const CURVE = 10;
const LONGEST_NAME = 30;
const LONGEST_REASON = 60;

/** Exactly `rows` lines, each of at most `columns` characters without its colours. */
export function frame(raw: Frame, rows: number, columns: number, paint: Paint): string[] {
  const given = safe(raw);
  const { view, screen, now } = given;
  if (screen.help) return fitted(HELP, rows, columns, paint);
  const services = shown(view.services, screen);
  const bad = view.services.filter(({ state }) => state !== 'up').length;
  const { down } = view.realServers;
  const total = Object.values(view.realServers).reduce((sum, one) => sum + one, 0);
  const rates = view.services.filter(({ connections }) => !Number.isNaN(connections));
  const sum = (key: keyof Rates) => (rates.length > 0 ? rates.reduce((all, one) => all + one[key], 0) : Number.NaN);
  const head = [
    `lvsd up ${spanText(now - view.startedAt * 1000)}`,
    `${count(view.services.length, 'service')}${bad > 0 ? `, ${bad} not up` : ''}`,
    `${count(total, 'real server')}${down > 0 ? `, ${down} down` : ''}`,
    `${short(sum('connections'))} conn/s`,
    `${short(8 * (sum('inBytes') + sum('outBytes')))}b/s`,
  ].join('   ');
  const state = [
    `sort: ${screen.sort}${screen.reverse ? ' (reverse)' : ''}`,
    `every ${screen.interval / 1000}s`,
    ...(screen.paused ? ['paused'] : []),
    ...(screen.bad ? ['only those not up'] : []),
    ...(screen.typing || screen.search !== '' ? [`search: ${screen.search}${screen.typing ? '_' : ''}`] : []),
    '? help',
  ].join('   ');
  const foot = [
    ...view.pools.map(poolText),
    ...view.vrrp.map(({ name, state: role }) => `vrrp ${printable(name)} ${role}`),
  ];
  const lines = [head, given.problem === undefined ? state : paint('red', printable(given.problem))];
  const room = rows - lines.length - 1 - (foot.length > 0 ? 1 : 0);
  return fitted([...lines, ...body(given, services, room, paint), ...pad(foot, paint)], rows, columns, paint);
}

/** Without control characters in what comes from answers of the daemon as it is; the model has made texts and numbers of rows. */
function safe({ view, open, ...rest }: Frame): Frame {
  const { vrrp, realServers } = view;
  return { ...rest, open: printableValues(open), view: { ...view, ...printableValues({ vrrp, realServers }) } };
}

const pad = (foot: readonly string[], paint: Paint) => (foot.length > 0 ? [paint('dim', foot.join('   '))] : []);

type Line =
  | { of: 'service'; service: ServiceView; chosen: boolean }
  | { of: 'server'; server: ServerView; status: RealServerStatus | undefined };

/** The table's head and at most `room` lines, around the chosen service. */
function body(
  { view, screen, open, now }: Frame,
  services: readonly ServiceView[],
  room: number,
  paint: Paint,
): string[] {
  const index = Math.max(
    0,
    services.findIndex(({ key }) => key === screen.chosen),
  );
  const lines: Line[] = [];
  let chosenLine = 0;
  for (const [i, service] of services.entries()) {
    if (i === index) chosenLine = lines.length;
    lines.push({ of: 'service', service, chosen: i === index });
    if (service.name !== screen.open) continue;
    for (const server of view.servers)
      if (server.virtual === service.virtual)
        lines.push({ of: 'server', server, status: open.find((one) => endpointText(one) === server.address) });
  }
  const first = Math.max(0, Math.min(chosenLine - Math.floor(room / 2), lines.length - room));
  const visible = lines.slice(first, first + Math.max(1, room));
  const found = table(visible, columnsAt(now), paint);
  return [...found, ...Array.from({ length: Math.max(0, room - visible.length) }, () => '')];
}

const columnsAt = (now: number): Column<Line>[] => [
  {
    title: 'SERVICE',
    text: (line) =>
      line.of === 'service'
        ? `${line.chosen ? '> ' : '  '}${shortened(printable(line.service.name), LONGEST_NAME)}`
        : `    ${shortened(printable(line.server.name), LONGEST_NAME)}`,
    colour: (line) => (line.of === 'service' && line.chosen ? 'bold' : undefined),
  },
  { title: 'ADDRESS', text: (line) => (line.of === 'service' ? printable(line.service.virtual) : '') },
  {
    title: 'STATE',
    text: (line) => (line.of === 'service' ? line.service.state : serverState(line.status, now)),
    colour: (line) => (line.of === 'service' ? COLOURS[line.service.state] : serverColour(line.status)),
  },
  {
    title: 'UP',
    text: (line) =>
      line.of === 'service' ? `${line.service.realServersUp}/${line.service.realServers}` : weightText(line.server),
    right: true,
  },
  { title: 'ACTIVE', text: (line) => short(numbersOf(line).active), right: true },
  { title: 'INACT', text: (line) => short(numbersOf(line).inactive), right: true },
  { title: 'CONN/S', text: (line) => short(numbersOf(line).connections), right: true },
  { title: 'IN b/s', text: (line) => short(8 * numbersOf(line).inBytes), right: true },
  { title: 'OUT b/s', text: (line) => short(8 * numbersOf(line).outBytes), right: true },
  { title: 'LAST', text: (line) => (line.of === 'service' ? curve(line.service.history) : '') },
  {
    title: 'WHY',
    text: (line) =>
      line.of === 'service' ? whyText(line.service) : shortened(printable(line.status?.reason ?? ''), LONGEST_REASON),
  },
];

const numbersOf = (line: Line) => (line.of === 'service' ? line.service : line.server);

const weightText = ({ weight, configuredWeight }: ServerView): string =>
  weight === configuredWeight ? `${configuredWeight}` : `${weight ?? 0}/${configuredWeight}`;

function serverState(status: RealServerStatus | undefined, now: number): string {
  if (!status) return '';
  return `${status.state}${status.since === undefined ? '' : ` ${spanText(now - status.since).split(' ')[0]}`}`;
}

function serverColour(status: RealServerStatus | undefined): Colour | undefined {
  if (status?.state === 'down') return 'red';
  return status?.state === 'draining' ? 'yellow' : undefined;
}

function whyText({ state, realServers, realServersUp }: ServiceView): string {
  switch (state) {
    case 'refused':
      return 'the kernel refuses a change';
    case 'down':
      return realServersUp === 0 ? 'no real server' : 'quorum lost';
    case 'sorry':
      return 'sorry server';
    case 'degraded':
      return `${realServers - realServersUp} not up`;
    case 'up':
      return '';
  }
}

function poolText({ name, ports, portsInUse, exhausted }: PoolView): string {
  const share = ports > 0 ? Math.max(0, Math.min(1, portsInUse / ports)) : 0;
  const bar = '#'.repeat(Math.round(10 * share)).padEnd(10, '-');
  return `${printable(name)} ${short(portsInUse)}/${short(ports)} ports [${bar}]  exhausted ${short(exhausted)}`;
}

/** The last values, the highest as a full bar. */
export function curve(history: readonly number[]): string {
  if (history.length < 2) return '';
  const step = history.length / CURVE;
  const points =
    history.length <= CURVE
      ? [...history]
      : Array.from({ length: CURVE }, (_, i) =>
          Math.max(...history.slice(Math.floor(i * step), Math.floor((i + 1) * step))),
        );
  const top = Math.max(...points);
  return points.map((value) => BARS[top === 0 ? 0 : Math.round((value / top) * (BARS.length - 1))]).join('');
}

/** Cuts lines and their number; colours take no room. */
function fitted(lines: readonly string[], rows: number, columns: number, paint: Paint): string[] {
  const cut = lines.slice(0, rows).map((line) => cutLine(line, columns));
  while (cut.length < rows) cut.push(paint(undefined, ''));
  return cut;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of terminal.ts
const COLOUR = /(\x1b\[\d+m)/;

function cutLine(line: string, columns: number): string {
  let room = columns;
  let cut = '';
  for (const part of line.split(COLOUR)) {
    if (COLOUR.test(part)) cut += part;
    else {
      cut += part.slice(0, room);
      room -= Math.min(room, part.length);
    }
  }
  return cut;
}

const HELP = [
  'q                quit',
  'up, down, j, k   choose a service; PageUp, PageDown, g and G: a page, the first, the last',
  'Enter, right     show its real servers; left: hide them',
  's, >, <          sort by the next or the previous column; r: reverse',
  '/                search by name and address; Esc: end the search',
  '!                only services that are not up',
  'space            stop and go on',
  '+, -             a longer or a shorter interval',
  '',
  'any key: back',
];
