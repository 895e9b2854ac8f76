// SPDX-License-Identifier: MIT
/** The services, of which only a window is here: the rest is room for the scroll bar. */
import type { RefObject } from 'preact';
import { printable } from '../../base/printable.ts';
import type { Sort } from '../../control/lvsctl/top/screen.ts';
import { keyOf, type Point, type Rows, type ServiceRow } from '../page/messages.ts';
import { addressOf, type Looking } from './address.ts';
import { bitsText, countText } from './format.ts';
import { Curve, Outside, State } from './parts.tsx';

interface Column {
  title: string;
  sort?: Sort;
  class: string;
}

const COLUMNS: readonly Column[] = [
  { title: 'Service', sort: 'name', class: 'name' },
  { title: 'State', sort: 'state', class: 'state-column' },
  { title: 'Up', class: 'number up-column' },
  { title: 'Active', sort: 'active', class: 'number wide' },
  { title: 'Conn/s', sort: 'conn/s', class: 'number' },
  { title: 'In', sort: 'in', class: 'number bits wide' },
  { title: 'Out', sort: 'out', class: 'number bits wide' },
  { title: '10 min', class: 'curve-column wide' },
  { title: 'Why', class: 'why wide' },
];

/** Ascending by nature; numbers begin with the greatest. */
const ASCENDING: ReadonlySet<Sort> = new Set(['name', 'state']);

interface Properties {
  rows: Rows;
  curves: ReadonlyMap<string, readonly Point[]>;
  looking: Looking;
  /** Pixels of a row. */
  height: number;
  scroller: RefObject<HTMLElement | null>;
  onScroll: () => void;
  onSort: (sort: Sort) => void;
  onOpen: (row: ServiceRow) => void;
}

export function Services({ rows, curves, looking, height, scroller, onScroll, onSort, onOpen }: Properties) {
  const after = rows.total - rows.from - rows.rows.length;
  return (
    <section class="scroller" ref={scroller} onScroll={onScroll} aria-label="Services">
      <table class="services" aria-rowcount={rows.total + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {COLUMNS.map((column) => (
              <Heading key={column.title} column={column} looking={looking} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.from > 0 && <Room key="before" height={rows.from * height} />}
          {rows.rows.map((row, index) => (
            <ServiceLine
              key={keyOf(row)}
              row={row}
              index={rows.from + index}
              curve={curves.get(keyOf(row)) ?? []}
              looking={looking}
              onOpen={onOpen}
            />
          ))}
          {after > 0 && <Room key="after" height={after * height} />}
        </tbody>
      </table>
      {rows.total === 0 && (
        <p class="nothing">
          {looking.search !== '' || looking.bad ? 'No service matches.' : 'There are no services in the file.'}
        </p>
      )}
    </section>
  );
}

const Room = ({ height }: { height: number }) => (
  // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it takes the focus
  <tr class="room" aria-hidden="true">
    <td style={{ height: `${height}px` }} />
  </tr>
);

function Heading({ column, looking, onSort }: { column: Column; looking: Looking; onSort: (sort: Sort) => void }) {
  const { title, sort } = column;
  if (sort === undefined)
    return (
      <th scope="col" class={column.class}>
        {title}
      </th>
    );
  const chosen = looking.sort === sort;
  const ascending = ASCENDING.has(sort) !== looking.reverse;
  // Before the title of a column of numbers, so that both end at the same place.
  const numeric = column.class.includes('number');
  const arrow = chosen && (
    <span aria-hidden="true" class="arrow">
      {ascending ? '▴' : '▾'}
    </span>
  );
  return (
    <th scope="col" class={column.class} aria-sort={chosen ? (ascending ? 'ascending' : 'descending') : 'none'}>
      <button type="button" class="sort" onClick={() => onSort(sort)}>
        {numeric && arrow}
        {title}
        {!numeric && arrow}
      </button>
    </th>
  );
}

function ServiceLine({
  row,
  index,
  curve,
  looking,
  onOpen,
}: {
  row: ServiceRow;
  index: number;
  curve: readonly Point[];
  looking: Looking;
  onOpen: (row: ServiceRow) => void;
}) {
  const chosen = looking.open === row.name && (looking.at ?? row.virtual) === row.virtual;
  const open = (event: MouseEvent) => {
    // A new tab or window is the browser's matter.
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    onOpen(row);
  };
  return (
    // The link in it is for the keyboard.
    <tr class={`row ${row.state} ${chosen ? 'chosen' : ''}`} aria-rowindex={index + 2} onClick={open}>
      <td class="name">
        <a
          href={addressOf({ ...looking, open: row.name, at: row.virtual })}
          data-index={index}
          aria-current={chosen ? 'true' : undefined}
        >
          <Outside text={row.name} />
        </a>
        <span class="below">
          <Outside text={row.virtual} />
        </span>
        <span class="below phone" title={printable(row.why)}>
          <Outside text={row.why} />
        </span>
      </td>
      <td class="state-column">
        <State state={row.state} />
      </td>
      <td class="number up-column">
        {row.up}/{row.realServers}
      </td>
      <td class="number wide">{countText(row.active)}</td>
      <td class="number">{countText(row.connections)}</td>
      <td class="number bits wide">{bitsText(row.in)}</td>
      <td class="number bits wide">{bitsText(row.out)}</td>
      <td class="curve-column wide">
        <Curve points={curve} />
      </td>
      <td class="why wide" title={printable(row.why)}>
        <span class="two-lines">
          <Outside text={row.why} />
        </span>
      </td>
    </tr>
  );
}
