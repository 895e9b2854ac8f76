// SPDX-License-Identifier: MIT
/** A chart of the last minutes, with the values at its cursor or the last ones above it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { Point } from '../page/messages.ts';
import { axisLabels, clockLabels, timeText } from './format.ts';

const HEIGHT = 150;
const FONT = '11px system-ui, sans-serif';
/** Seconds that it shows, and at the beginning. */
const SPAN = 600;
const LEAST_SPAN = 60;

export interface Line {
  label: string;
  points: readonly Point[];
}

interface Properties {
  title: string;
  /** Of the axis: 'b/s'; '' for none. */
  unit: string;
  /** Milliseconds since the epoch. */
  at: readonly number[];
  lines: readonly Line[];
  text: (value: Point) => string;
}

const COLOURS = ['--line-a', '--line-b'] as const;

export function Chart({ title, unit, at, lines, text }: Properties) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [cursor, setCursor] = useState<number | undefined>(undefined);
  const [scheme, setScheme] = useState(0);
  const data: uPlot.AlignedData = [at.map((one) => one / 1000), ...lines.map(({ points }) => [...points])];
  const last = useRef(data);
  last.current = data;
  const count = lines.length;

  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const changed = () => setScheme((before) => before + 1);
    dark.addEventListener('change', changed);
    return () => dark.removeEventListener('change', changed);
  }, []);

  // `scheme` stands for the colours, which are read from the style.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = new uPlot(optionsOf(element, unit, count, setCursor), last.current, element);
    plot.current = made;
    const seen = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    seen.observe(element);
    return () => {
      seen.disconnect();
      made.destroy();
    };
  }, [unit, count, scheme]);

  useEffect(() => plot.current?.setData(last.current), [at, lines]);

  const index = cursor ?? at.length - 1;
  const values = lines.map(({ label, points }) => ({ label, value: text(points[index] ?? null) }));
  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b>
        {values.map(({ label, value }, number) => (
          <span key={label} class={`key key-${number}`}>
            {label} <span class="number">{value}</span>
          </span>
        ))}
        {cursor !== undefined && at[cursor] !== undefined && <span class="dim">at {timeText(at[cursor])}</span>}
      </figcaption>
      <div
        ref={box}
        role="img"
        aria-label={`${title}, last ${values.map(({ label, value }) => `${label} ${value}`).join(', ')}`}
      />
    </figure>
  );
}

function optionsOf(
  element: HTMLElement,
  unit: string,
  count: number,
  onCursor: (index: number | undefined) => void,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name);
  const axis: uPlot.Axis = {
    stroke: colour('--dim'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1, size: 4 },
    font: FONT,
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false } },
    scales: {
      x: { range: (_plot, least, most) => [Math.max(most - SPAN, Math.min(least, most - LEAST_SPAN)), most] },
      y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.1)] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        space: 80,
        values: (_plot, ticks) => clockLabels(ticks.map((tick) => tick * 1000)),
      },
      { ...axis, size: 68, space: 30, values: (_plot, ticks) => axisLabels(ticks, unit) },
    ],
    series: [
      {},
      ...Array.from({ length: count }, (_, i) => ({
        stroke: colour(COLOURS[i] ?? COLOURS[0]),
        width: 1.5,
        spanGaps: false,
        points: { show: false },
        ...(count === 1 && { fill: colour('--line-a-fill') }),
      })),
    ],
    hooks: { setCursor: [(made) => onCursor(made.cursor.idx ?? undefined)] },
  };
}
