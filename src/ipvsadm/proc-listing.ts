// SPDX-License-Identifier: MIT
/** -L of a large table: rows go from one text into the other without a string of their own. */
import type { Service } from '../ipvs/index.ts';
import type { Format, Layout } from './layouts.ts';
import type { Output } from './output.ts';
import type { Ipv4Row, ProcTable } from './proc-table.ts';
import { mergeSort, sortDestinations, sortServices } from './sort.ts';
import { destinationLabel } from './texts.ts';

/** `services` in the order of the table. */
export function listProcTable(
  table: ProcTable,
  services: readonly Service[],
  layout: Layout,
  format: Format,
  sort: boolean,
  output: Output,
): void {
  const places = new Map(services.map((service, index) => [service, index]));
  const page = new Page(output);
  for (const service of sort ? sortServices([...services]) : services) {
    page.text(`${layout.service(service, format)}\n`);
    const place = places.get(service) ?? -1;
    const rows = table.ipv4Rows(place);
    if (rows) {
      if (sort) mergeSort(rows);
      for (const row of rows) page.row(row, table.data);
    } else {
      const mixed = table.rows(place);
      for (const row of sort ? sortDestinations(mixed) : mixed) {
        const columns = table.data.toString('latin1', row.columns, row.end);
        page.text(`${ARROW}${destinationLabel(service, row, undefined).padEnd(NAME)} ${columns}\n`);
      }
    }
  }
  page.flush();
}

const ARROW = '  -> ';
const NAME = 28;
const SIZE = 64 << 10;
/** Of a row, but for its columns. */
const MARGIN = ARROW.length + NAME + 2;

const NEWLINE = 10;
const BLANK = 32;
const DOT = 46;
const ZERO = 48;
const COLON = 58;

class Page {
  readonly #output: Output;
  readonly #bytes = Buffer.allocUnsafeSlow(SIZE);
  #length = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  text(text: string): void {
    // Three bytes are the most that a UTF-16 unit becomes.
    this.#reserve(3 * text.length);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** `  -> 172.16.0.2:8080 ...`, padded, and the columns of `data`. */
  row({ number, port, columns, end }: Ipv4Row, data: Uint8Array): void {
    this.#reserve(MARGIN + end - columns);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = 0; i < ARROW.length; i++) bytes[at++] = ARROW.charCodeAt(i);
    const name = at;
    for (let shift = 24; shift >= 0; shift -= 8) {
      at = decimal(bytes, at, (number >>> shift) & 255);
      bytes[at++] = shift > 0 ? DOT : COLON;
    }
    at = decimal(bytes, at, port);
    while (at <= name + NAME) bytes[at++] = BLANK;
    for (let i = columns; i < end; i++) bytes[at++] = data[i] as number;
    bytes[at++] = NEWLINE;
    this.#length = at;
  }

  flush(): void {
    this.#output.out(this.#bytes.toString('utf8', 0, this.#length));
    this.#length = 0;
  }

  /** What is longer than a page would be cut: no line of the kernel's is. */
  #reserve(count: number): void {
    if (this.#length + count > SIZE) this.flush();
  }
}

/** Writes up to five digits; where they end. */
function decimal(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let unit = value >= 10_000 ? 10_000 : value >= 1000 ? 1000 : value >= 100 ? 100 : value >= 10 ? 10 : 1;
  for (let rest = value; unit >= 1; unit = (unit / 10) | 0) {
    const digit = (rest / unit) | 0;
    bytes[at++] = ZERO + digit;
    rest -= digit * unit;
  }
  return at;
}
