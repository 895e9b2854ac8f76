// SPDX-License-Identifier: MIT
/** The page of lvsd web. It shows and never changes anything. */
import { render } from 'preact';
import { useCallback, useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';
import type { Sort } from '../../control/lvsctl/top/screen.ts';
import type { LiveMessage, ServiceRow } from '../page/messages.ts';
import { addressOf, type Looking, livePath, readAddress } from './address.ts';
import { clock } from './clock.ts';
import { ServiceDetail } from './detail.tsx';
import { Alerts, OLD, Tiles, Top } from './head.tsx';
import { Keys } from './keys.tsx';
import { type Connection, followLive } from './live.ts';
import { Events, Failures, Pools, VirtualRouters } from './side.tsx';
import { type Known, NOTHING, received } from './state.ts';
import { Services } from './table.tsx';

/** Pixels of a row, and on a phone; page.css has them too. */
const ROW = 42;
const PHONE_ROW = 58;
const PHONE = '(max-width: 760px)';
/** Rows above and below those that are visible. */
const MARGIN = 20;
/** Windows begin at a multiple of this, so that few are asked for while scrolling. */
const STEP = 10;
/** Milliseconds. */
const SETTLE = 80;
const SECOND = 1000;

type Action = { message: LiveMessage; at: number } | { forget: 'open' };

const reduce = (known: Known, action: Action): Known =>
  'forget' in action ? { ...known, open: undefined } : received(known, action.message, action.at);

function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const changed = () => setMatches(list.matches);
    list.addEventListener('change', changed);
    return () => list.removeEventListener('change', changed);
  }, [query]);
  return matches;
}

/** clock(), each second. */
function useClock(): number {
  const [now, setNow] = useState(clock);
  useEffect(() => {
    const timer = setInterval(() => setNow(clock()), SECOND);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function Page() {
  const [looking, setLooking] = useState<Looking>(() => readAddress(location.search));
  /** Several changes may come before the next drawing. */
  const latest = useRef(looking);
  const [range, setRange] = useState({ from: 0, count: 50 });
  const [known, send] = useReducer(reduce, NOTHING);
  const [connection, setConnection] = useState<Connection>('connecting');
  const [help, setHelp] = useState(false);
  const scroller = useRef<HTMLElement>(null);
  const search = useRef<HTMLInputElement>(null);
  /** Index of the row that gets the focus as soon as it is there. */
  const wanted = useRef<number | undefined>(undefined);
  const height = useMedia(PHONE) ? PHONE_ROW : ROW;
  const seen = useClock();
  const path = livePath(looking, range.from, range.count);

  useEffect(() => {
    let stop = () => {};
    const timer = setTimeout(() => {
      stop = followLive(path, (message) => send({ message, at: clock() }), setConnection);
    }, SETTLE);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [path]);

  const change = (what: Partial<Looking>, record = false) => {
    latest.current = { ...latest.current, ...what };
    const address = addressOf(latest.current);
    if (record) history.pushState(null, '', address);
    else history.replaceState(null, '', address);
    setLooking(latest.current);
  };
  useEffect(() => {
    const back = () => {
      send({ forget: 'open' });
      latest.current = readAddress(location.search);
      setLooking(latest.current);
    };
    addEventListener('popstate', back);
    return () => removeEventListener('popstate', back);
  }, []);

  /** Another order or selection begins at its first row. */
  const select = (what: Partial<Looking>) => {
    scroller.current?.scrollTo({ top: 0 });
    setRange((before) => ({ ...before, from: 0 }));
    change(what);
  };
  const open = (row: Pick<ServiceRow, 'name' | 'virtual'>) => {
    if (looking.open === row.name && looking.at === row.virtual) return;
    send({ forget: 'open' });
    change({ open: row.name, at: row.virtual }, true);
  };
  const close = () => {
    const name = looking.open;
    change({ open: undefined, at: undefined }, true);
    send({ forget: 'open' });
    const links = [...document.querySelectorAll<HTMLAnchorElement>('a[data-index]')];
    links.find((link) => link.textContent === name)?.focus();
  };

  const onScroll = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    const visible = Math.ceil(element.clientHeight / height);
    const first = Math.floor(element.scrollTop / height / STEP) * STEP;
    const from = Math.max(0, first - MARGIN);
    const count = Math.min(100, Math.ceil((visible + STEP + 2 * MARGIN) / STEP) * STEP);
    setRange((before) => (before.from === from && before.count === count ? before : { from, count }));
  }, [height]);
  const ready = known.rows !== undefined;
  useEffect(() => {
    const element = scroller.current;
    if (!ready || !element) return;
    const seen = new ResizeObserver(onScroll);
    seen.observe(element);
    return () => seen.disconnect();
  }, [ready, onScroll]);

  useEffect(() => {
    if (wanted.current === undefined) return;
    const link = document.querySelector<HTMLAnchorElement>(`a[data-index="${wanted.current}"]`);
    if (!link) return;
    wanted.current = undefined;
    link.focus({ preventScroll: true });
  });

  const total = known.rows?.total ?? 0;
  /** Focuses a row and scrolls to it. */
  const focusRow = (index: number) => {
    const element = scroller.current;
    if (!element || total === 0) return;
    const row = Math.max(0, Math.min(total - 1, index));
    // The heading covers the first line.
    const room = element.clientHeight - height;
    if (row * height < element.scrollTop) element.scrollTop = row * height;
    else if ((row + 1) * height > element.scrollTop + room) element.scrollTop = (row + 1) * height - room;
    wanted.current = row;
    const link = document.querySelector<HTMLAnchorElement>(`a[data-index="${row}"]`);
    if (!link) return;
    wanted.current = undefined;
    link.focus({ preventScroll: true });
  };

  // At once: a key that follows must find the state that the one before it made.
  useLayoutEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target as HTMLElement;
      if (event.key === 'Escape') {
        if (help) setHelp(false);
        else if (target === search.current) {
          select({ search: '' });
          target.blur();
        } else if (looking.open !== undefined) close();
        else if (looking.search !== '') select({ search: '' });
        return;
      }
      if (target === search.current) {
        if (event.key === 'Enter' || event.key === 'ArrowDown') {
          event.preventDefault();
          focusRow(0);
        }
        return;
      }
      const row = target.dataset.index === undefined ? undefined : Number(target.dataset.index);
      const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / height) - 2);
      const moves: Record<string, number | undefined> = {
        j: (row ?? -1) + 1,
        k: (row ?? 1) - 1,
        g: 0,
        G: total - 1,
        // These scroll, unless a row has the focus.
        ...(row !== undefined && {
          ArrowDown: row + 1,
          ArrowUp: row - 1,
          PageDown: row + page,
          PageUp: row - page,
          Home: 0,
          End: total - 1,
        }),
      };
      const to = moves[event.key];
      if (to !== undefined) focusRow(to);
      else if (event.key === '/') search.current?.focus();
      else if (event.key === '!') select({ bad: !looking.bad });
      else if (event.key === '?') setHelp((before) => !before);
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  });

  const { head, rows, side, events, problem, answeredAt, ahead } = known;
  useEffect(() => {
    document.title = head ? `${head.bad > 0 ? `(${head.bad}) ` : ''}lvsd ${head.host}` : 'lvsd';
  }, [head]);
  const age = answeredAt === undefined ? undefined : Math.max(0, seen - answeredAt);
  const now = seen + ahead;
  const old = (connection === 'lost' || problem !== undefined || (age ?? 0) > OLD) && (age ?? OLD) >= OLD;
  const bad = looking.bad;
  const sortBy = (sort: Sort) => select({ sort, reverse: looking.sort === sort && !looking.reverse });
  return (
    <div class={`page ${old ? 'old' : ''} ${looking.open === undefined ? '' : 'with-detail'}`}>
      <Top head={head} connection={connection} age={age} problem={problem} now={now} />
      <Alerts head={head} connection={connection} problem={problem} />
      {head && <Tiles head={head} bad={bad} onBad={() => select({ bad: !bad })} />}
      {head && rows && (
        <div class="columns">
          <main>
            <div class="bar">
              <label>
                Search{' '}
                <input
                  ref={search}
                  type="search"
                  value={looking.search}
                  placeholder="name or address  ( / )"
                  maxLength={200}
                  onInput={({ currentTarget }) => select({ search: currentTarget.value })}
                />
              </label>
              <span class="dim" role="status">
                {total === head.services ? `${total} services` : `${total} of ${head.services} services`}
              </span>
              <button type="button" class="copy help" onClick={() => setHelp(!help)} aria-expanded={help}>
                keys ?
              </button>
            </div>
            {help && <Keys />}
            <Services
              rows={rows}
              curves={known.curves}
              looking={looking}
              height={height}
              scroller={scroller}
              onScroll={onScroll}
              onSort={sortBy}
              onOpen={open}
            />
            {looking.open !== undefined && (
              <ServiceDetail name={looking.open} detail={known.open} events={events} now={now} onClose={close} />
            )}
          </main>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
          <aside aria-label="Virtual routers, local addresses and events" tabIndex={0}>
            {side && <VirtualRouters list={side.vrrp} now={now} />}
            {side && <Pools list={side.pools} />}
            <Failures list={head.failures} count={head.refused} now={now} />
            <Events list={events} title="Events" id="events" />
          </aside>
        </div>
      )}
      {!head && <p class="waiting">{problem === undefined ? 'Waiting for lvsd…' : 'Nothing is known yet.'}</p>}
    </div>
  );
}

const element = document.getElementById('page');
if (element) {
  element.replaceChildren();
  render(<Page />, element);
}
