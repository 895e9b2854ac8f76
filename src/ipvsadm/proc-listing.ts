// SPDX-License-Identifier: MIT
/** -L of a large table: rows go from one text into the other without a string of their own. */
import { AF_INET } from '../base/addresses.ts';
import { IPPROTO_TCP, type Service } from '../ipvs/index.ts';
import type { Format, Layout } from './layouts.ts';
import type { Output } from './output.ts';
import { Ipv4Rows, type ProcTable } from './proc-table.ts';
import { sortDestinations, sortServices } from './sort.ts';
import { destinationLabel, serviceLabel } from './texts.ts';

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
  const titles = new Titles(layout, format);
  const rows = new Ipv4Rows();
  const text = new DataView(table.data.buffer, table.data.byteOffset, table.data.length);
  for (const service of sort ? sortServices([...services]) : services) {
    page.service(service, titles);
    const place = places.get(service) ?? -1;
    if (table.ipv4Rows(place, sort, rows)) for (let i = 0; i < rows.count; i++) page.row(rows, i, table.data, text);
    else {
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
const TCP = 'TCP  ';
/** The longest name of a TCP service. */
const LABEL = TCP.length + '255.255.255.255:65535'.length;
const NAME = 28;
/** What a row of IPv4 has in front of its columns in /proc: `  -> AC100002:1F90      `. */
const PROC_NAME = 24;
const SIZE = 64 << 10;
/** Of a row, but for its columns. */
const MARGIN = ARROW.length + NAME + 2;

const NEWLINE = 10;
const BLANK = 32;
const DOT = 46;
const ZERO = 48;
const COLON = 58;

/** What stands behind the name of a service, which is mostly what stood behind the one before. */
class Titles {
  readonly #layout: Layout;
  readonly #format: Format;
  #last: Service | undefined;
  #tail = '';

  constructor(layout: Layout, format: Format) {
    this.#layout = layout;
    this.#format = format;
  }

  whole(service: Service): string {
    return `${this.#layout.service(service, this.#format)}\n`;
  }

  tail(service: Service): string {
    const last = this.#last;
    if (
      !last ||
      last.scheduler !== service.scheduler ||
      last.flags !== service.flags ||
      last.timeout !== service.timeout ||
      last.netmask !== service.netmask ||
      last.peName !== service.peName
    ) {
      this.#tail = this.whole(service).slice(serviceLabel(service, undefined).length);
      this.#last = service;
    }
    return this.#tail;
  }
}

class Page {
  readonly #output: Output;
  readonly #bytes = Buffer.allocUnsafeSlow(SIZE);
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, SIZE);
  #length = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  text(text: string): void {
    // Three bytes are the most that a UTF-16 unit becomes.
    this.#reserve(3 * text.length);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** `TCP  192.0.2.1:80 rr`. */
  service(service: Service, titles: Titles): void {
    const { family, protocol, address, port, fwmark } = service;
    if (family !== AF_INET || fwmark || protocol !== IPPROTO_TCP) {
      this.text(titles.whole(service));
      return;
    }
    this.#reserve(LABEL);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = 0; i < TCP.length; i++) bytes[at++] = TCP.charCodeAt(i);
    for (let i = 0; i < 4; i++) {
      at = octet(bytes, at, address[i] as number);
      bytes[at++] = i < 3 ? DOT : COLON;
    }
    this.#length = decimal(bytes, at, port);
    this.text(titles.tail(service));
  }

  /** `  -> 172.16.0.2:8080 ...`, padded, and the columns of `data`. */
  row(rows: Ipv4Rows, index: number, data: Uint8Array, text: DataView): void {
    const address = rows.address[index] as number;
    const columns = rows.columns[index] as number;
    const end = rows.end[index] as number;
    this.#reserve(MARGIN + end - columns);
    const bytes = this.#bytes;
    let at = this.#length;
    // The arrow is written there as well.
    for (let i = columns - PROC_NAME; i < columns - PROC_NAME + ARROW.length; i++) bytes[at++] = data[i] as number;
    const name = at;
    at = octet(bytes, at, address >>> 24);
    bytes[at++] = DOT;
    at = octet(bytes, at, (address >>> 16) & 255);
    bytes[at++] = DOT;
    at = octet(bytes, at, (address >>> 8) & 255);
    bytes[at++] = DOT;
    at = octet(bytes, at, address & 255);
    bytes[at++] = COLON;
    at = decimal(bytes, at, rows.port[index] as number);
    while (at <= name + NAME) bytes[at++] = BLANK;
    // Four at a time.
    let from = columns;
    for (; from + 4 <= end; from += 4) {
      this.#view.setUint32(at, text.getUint32(from));
      at += 4;
    }
    for (; from < end; from++) bytes[at++] = data[from] as number;
    bytes[at++] = NEWLINE;
    this.#length = at;
  }

  flush(): void {
    this.#output.out(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
  }

  /** What is longer than a page would be cut: no line of the kernel's is. */
  #reserve(count: number): void {
    if (this.#length + count > SIZE) this.flush();
  }
}

/** Writes a number below 256; where it ends. */
function octet(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  if (value > 99) {
    const hundreds = value > 199 ? 2 : 1;
    bytes[at++] = ZERO + hundreds;
    rest -= 100 * hundreds;
  }
  if (value > 9) {
    // A tenth, for what is below a hundred.
    const tens = (103 * rest) >> 10;
    bytes[at++] = ZERO + tens;
    rest -= 10 * tens;
  }
  bytes[at++] = ZERO + rest;
  return at;
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
