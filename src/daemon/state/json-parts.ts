// SPDX-License-Identifier: MIT

/** Items of a list in one part. */
export const ITEMS = 200;

/**
 * The JSON of an object, in parts of which none takes long to make: its lists, and iterables in their place, are cut.
 * Lists that are deeper in it are not.
 */
export function* jsonParts(value: object): Generator<string> {
  let separator = '{';
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue;
    const start = `${separator}${JSON.stringify(key)}:`;
    separator = ',';
    if (!isIterable(field)) yield start + JSON.stringify(field);
    else {
      yield `${start}[`;
      yield* itemParts(field);
      yield ']';
    }
  }
  yield separator === '{' ? '{}' : '}';
}

function* itemParts(list: Iterable<unknown>): Generator<string> {
  let items: unknown[] = [];
  let separator = '';
  const part = () => {
    const text = separator + JSON.stringify(items).slice(1, -1);
    items = [];
    separator = ',';
    return text;
  };
  for (const item of list) if (items.push(item) >= ITEMS) yield part();
  if (items.length > 0) yield part();
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value;
