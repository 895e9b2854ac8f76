// SPDX-License-Identifier: MIT
/** Formats rows in aligned columns. */
import type { Colour, Paint } from './terminal.ts';

export interface Column<T> {
  title: string;
  text: (row: T) => string;
  colour?: (row: T) => Colour | undefined;
  /** Aligned to the right, for numbers. */
  right?: true;
}

/** One string per line, without trailing spaces. Columns that are empty in every row are omitted. */
export function table<T>(rows: readonly T[], columns: readonly Column<T>[], paint: Paint): string[] {
  const cells = columns
    .map((column) => ({ column, texts: rows.map((row) => column.text(row)) }))
    .filter(({ texts }) => texts.some((text) => text !== ''));
  const widths = cells.map(({ column, texts }) =>
    texts.reduce((max, { length }) => Math.max(max, length), column.title.length),
  );
  const line = (
    textOf: (cell: (typeof cells)[number]) => string,
    colourOf: (column: Column<T>) => Colour | undefined,
  ) => {
    const last = cells.findLastIndex((cell) => textOf(cell) !== '');
    return cells
      .slice(0, last + 1)
      .map((cell, i) => {
        const text = textOf(cell);
        const space = ' '.repeat((widths[i] ?? 0) - text.length);
        const painted = paint(colourOf(cell.column), text);
        if (cell.column.right) return `${space}${painted}`;
        return i === last ? painted : `${painted}${space}`;
      })
      .join('  ');
  };
  return [
    line(
      ({ column }) => column.title,
      () => 'dim',
    ),
    ...rows.map((row, i) =>
      line(
        ({ texts }) => texts[i] ?? '',
        ({ colour }) => colour?.(row),
      ),
    ),
  ];
}
