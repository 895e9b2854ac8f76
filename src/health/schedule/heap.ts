// SPDX-License-Identifier: MIT
/** A binary heap ordered by time that supports removal of any item. */

export interface HeapItem {
  at: number;
  /** Position in the heap, maintained by the heap; -1 if not in one. */
  index: number;
}

export class Heap<T extends HeapItem> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The earliest item. */
  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** No effect if it is not in the heap. */
  remove(item: T): void {
    const { index } = item;
    if (index < 0) return;
    item.index = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    if (last.at < item.at) this.#rise(last, index);
    else this.#sink(last, index);
  }

  #rise(item: T, from: number): void {
    const items = this.#items;
    let index = from;
    while (index > 0) {
      const parent = items[(index - 1) >> 1];
      if (parent === undefined || parent.at <= item.at) break;
      items[index] = parent;
      parent.index = index;
      index = (index - 1) >> 1;
    }
    items[index] = item;
    item.index = index;
  }

  #sink(item: T, from: number): void {
    const items = this.#items;
    let index = from;
    for (;;) {
      const left = items[2 * index + 1];
      if (left === undefined) break;
      const right = items[2 * index + 2];
      const child = right !== undefined && right.at < left.at ? right : left;
      if (child.at >= item.at) break;
      const below = child.index;
      items[index] = child;
      child.index = index;
      index = below;
    }
    items[index] = item;
    item.index = index;
  }
}
