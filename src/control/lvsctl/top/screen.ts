// SPDX-License-Identifier: MIT
/** The order, search and selection of `lvsctl top`, and the keys that change them. Pure. */
import { type ServiceView, STATES } from './model.ts';

export const SORTS = ['state', 'name', 'active', 'conn/s', 'in', 'out'] as const;
export type Sort = (typeof SORTS)[number];

export interface Screen {
  sort: Sort;
  reverse: boolean;
  /** Part of names and addresses. */
  search: string;
  /** The search is being typed. */
  typing: boolean;
  /** Only services that are not up. */
  bad: boolean;
  paused: boolean;
  help: boolean;
  /** Milliseconds. */
  interval: number;
  /** Key of the chosen service; undefined: the first. */
  chosen: string | undefined;
  /** Name of the service whose real servers are shown. */
  open: string | undefined;
}

export const INITIAL: Screen = {
  sort: 'state',
  reverse: false,
  search: '',
  typing: false,
  bad: false,
  paused: false,
  help: false,
  interval: 2000,
  chosen: undefined,
  open: undefined,
};

const LEAST_INTERVAL = 1000;
const MOST_INTERVAL = 60_000;

/** As node:readline's keypress event has it. */
export interface Key {
  name?: string | undefined;
  sequence?: string | undefined;
  ctrl?: boolean | undefined;
}

/** The services that are shown, in their order. */
export function shown(
  services: readonly ServiceView[],
  { sort, reverse, search, bad }: Pick<Screen, 'sort' | 'reverse' | 'search' | 'bad'>,
): ServiceView[] {
  const word = search.toLowerCase();
  const found = services.filter(
    ({ name, virtual, state }) =>
      (word === '' || `${name} ${virtual}`.toLowerCase().includes(word)) && !(bad && state === 'up'),
  );
  const order = ORDERS[sort];
  found.sort((a, b) => order(a, b) || byName(a, b));
  return reverse ? found.reverse() : found;
}

type Order = (a: ServiceView, b: ServiceView) => number;
const byName: Order = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
/** NaN is the last. */
const descending = (a: number, b: number): number => (b || 0) - (a || 0);
const ORDERS: Readonly<Record<Sort, Order>> = {
  state: (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || descending(a.connections, b.connections),
  name: byName,
  active: (a, b) => b.active - a.active,
  'conn/s': (a, b) => descending(a.connections, b.connections),
  in: (a, b) => descending(a.inBytes, b.inBytes),
  out: (a, b) => descending(a.outBytes, b.outBytes),
};

/** The screen after a key; undefined: quit. `page`: services that fit. */
export function pressed(screen: Screen, key: Key, services: readonly ServiceView[], page: number): Screen | undefined {
  if (key.ctrl && key.name === 'c') return undefined;
  if (screen.typing) return typed(screen, key);
  if (screen.help) return { ...screen, help: false };
  const visible = shown(services, screen);
  const index = Math.max(
    0,
    visible.findIndex((one) => one.key === screen.chosen),
  );
  const move = (to: number): Screen => ({
    ...screen,
    chosen: visible[Math.max(0, Math.min(visible.length - 1, to))]?.key,
  });
  const { sequence = '', name = '' } = key;
  switch (name === 'space' || name === 'return' || name.length > 1 ? name : sequence) {
    case 'q':
      return undefined;
    case 'escape':
      return screen.search === '' ? { ...screen, open: undefined } : { ...screen, search: '' };
    case 'up':
    case 'k':
      return move(index - 1);
    case 'down':
    case 'j':
      return move(index + 1);
    case 'pageup':
      return move(index - page);
    case 'pagedown':
      return move(index + page);
    case 'home':
    case 'g':
      return move(0);
    case 'end':
    case 'G':
      return move(visible.length - 1);
    case 'return':
    case 'right': {
      const chosen = visible[index]?.name;
      return { ...screen, open: name === 'return' && screen.open === chosen ? undefined : chosen };
    }
    case 'left':
      return { ...screen, open: undefined };
    case 's':
    case '>':
      return { ...screen, sort: next(screen.sort, 1) };
    case '<':
      return { ...screen, sort: next(screen.sort, -1) };
    case 'r':
      return { ...screen, reverse: !screen.reverse };
    case '/':
      return { ...screen, typing: true, search: '' };
    case '!':
      return { ...screen, bad: !screen.bad };
    case 'space':
      return { ...screen, paused: !screen.paused };
    case '+':
      return { ...screen, interval: Math.min(MOST_INTERVAL, screen.interval + 1000) };
    case '-':
      return { ...screen, interval: Math.max(LEAST_INTERVAL, screen.interval - 1000) };
    case '?':
    case 'h':
      return { ...screen, help: true };
    default:
      return screen;
  }
}

function typed(screen: Screen, { name = '', sequence = '' }: Key): Screen {
  if (name === 'return') return { ...screen, typing: false };
  if (name === 'escape') return { ...screen, typing: false, search: '' };
  if (name === 'backspace') return { ...screen, search: screen.search.slice(0, -1) };
  return /^[\x20-\x7e]$/.test(sequence) ? { ...screen, search: screen.search + sequence } : screen;
}

const next = (sort: Sort, by: number): Sort => SORTS[(SORTS.indexOf(sort) + by + SORTS.length) % SORTS.length] as Sort;
