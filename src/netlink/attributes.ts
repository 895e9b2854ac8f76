// SPDX-License-Identifier: MIT
/** Attribute tables. Each nest is declared once; this engine reads and writes all of them. */
import type { AttributeReader } from './reader.ts';
import type { MessageWriter } from './writer.ts';

/**
 * Encoding of an attribute's payload. `be` is network byte order, other numbers are in host order; `inet` is an address
 * of 4 or 16 bytes that always takes 16 on the wire (union nf_inet_addr).
 */
export type Scalar = 'u8' | 'u16' | 'u32' | 'u64' | 'be16' | 'be32' | 'string' | 'bytes' | 'inet';

/** Name -> [attribute number, kind]; a table as the kind is a nest. */
export interface Table {
  readonly [name: string]: readonly [id: number, kind: Scalar | Table];
}

type Value<K> = K extends 'u64'
  ? bigint
  : K extends 'string'
    ? string
    : K extends 'bytes' | 'inet'
      ? Uint8Array
      : K extends Table
        ? Decoded<K>
        : number;

/** The decoded form of a table. Every attribute may be absent; unknown ones are skipped. */
export type Decoded<T extends Table> = { -readonly [K in keyof T]?: Value<T[K][1]> };

type Entry = readonly [name: string, kind: Scalar | Table];
const byId = new WeakMap<Table, (Entry | undefined)[]>();

function index(table: Table): (Entry | undefined)[] {
  let entries = byId.get(table);
  if (!entries) {
    entries = [];
    for (const [name, [id, kind]] of Object.entries(table)) entries[id] = [name, kind];
    byId.set(table, entries);
  }
  return entries;
}

/** Reads the remaining attributes. Throws MalformedError. */
export function decodeTable<T extends Table>(table: T, reader: AttributeReader): Decoded<T> {
  const entries = index(table);
  const result: Record<string, unknown> = {};
  while (reader.next()) {
    const entry = entries[reader.type];
    if (entry) result[entry[0]] = readValue(reader, entry[1]);
  }
  return result as Decoded<T>;
}

function readValue(reader: AttributeReader, kind: Scalar | Table): unknown {
  if (typeof kind !== 'string') return decodeTable(kind, reader.nested());
  return reader[kind]();
}

/** Writes the attributes of `values` in the order of its keys, except undefined ones. */
export function encodeTable<T extends Table>(table: T, writer: MessageWriter, values: Decoded<T>): void {
  for (const name of Object.keys(values)) {
    const value: unknown = values[name];
    const entry = table[name];
    if (value === undefined || !entry) continue;
    const [id, kind] = entry;
    if (typeof kind !== 'string') {
      const start = writer.beginNest(id);
      encodeTable(kind, writer, value as Decoded<Table>);
      writer.endNest(start);
    } else writeValue(writer, kind, id, value);
  }
}

function writeValue(writer: MessageWriter, kind: Scalar, id: number, value: unknown): void {
  switch (kind) {
    case 'string':
      writer.string(id, value as string);
      break;
    case 'bytes':
      writer.bytes(id, value as Uint8Array);
      break;
    case 'inet':
      writer.inet(id, value as Uint8Array);
      break;
    case 'u64':
      writer.u64(id, value as bigint);
      break;
    default:
      writer[kind](id, value as number);
  }
}
