// SPDX-License-Identifier: MIT
/** Small parts that several others show. */
import { useState } from 'preact/hooks';
import { printable } from '../../base/printable.ts';
import type { Point } from '../page/messages.ts';
import { curvePaths } from './format.ts';
import { CURVE } from './state.ts';

/** A text from outside: neither its direction nor its invisible characters change what is around it. */
export function Outside({ text }: { text: string }) {
  return <bdi>{printable(text)}</bdi>;
}

const MARKS: Readonly<Record<string, string>> = {
  up: '●',
  degraded: '▲',
  sorry: '▲',
  draining: '◐',
  down: '▼',
  refused: '✖',
  unchecked: '○',
};

/** Mark, colour and word say the same. */
export function State({ state }: { state: string }) {
  return (
    <span class={`state ${state}`}>
      <span aria-hidden="true">{MARKS[state] ?? '○'}</span> {state}
    </span>
  );
}

const [WIDTH, HEIGHT] = [112, 24];

export function Curve({ points }: { points: readonly Point[] }) {
  return (
    <svg class="curve" width={`${WIDTH}`} height={`${HEIGHT}`} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      {curvePaths(points, CURVE, WIDTH, HEIGHT).map((line) => (
        <polyline key={line} points={line} />
      ))}
    </svg>
  );
}

/** A bar that is full to a part; `label` says it in words. */
export function Fill({ part, whole, label }: { part: number; whole: number; label: string }) {
  const share = whole === 0 ? 0 : Math.min(1, part / whole);
  const level = share >= 0.9 ? 'full' : share >= 0.8 ? 'high' : '';
  return (
    <span class={`fill ${level}`} role="img" aria-label={label}>
      <span style={{ width: `${100 * share}%` }} />
    </span>
  );
}

const COPIED = 1500;

/** Puts a command on the clipboard, which the operator runs where he has the right to. */
export function Copy({ command, label }: { command: string; label: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await toClipboard(command);
    setDone(true);
    setTimeout(() => setDone(false), COPIED);
  };
  return (
    <button type="button" class="copy" title={`Copy: ${printable(command)}`} onClick={() => void copy()}>
      {done ? 'copied' : label}
    </button>
  );
}

async function toClipboard(text: string): Promise<void> {
  // Without TLS, browsers have this clipboard for localhost only; and a user may forbid it.
  try {
    await navigator.clipboard.writeText(text);
    return;
  } catch {
    // The old way works without a permission.
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'aside-of-view';
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}
