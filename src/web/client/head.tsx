// SPDX-License-Identifier: MIT
/** The top of the page: what it shows and how old that is, what is wrong as a whole, and the sums. */
import type { ComponentChildren } from 'preact';
import { printable } from '../../base/printable.ts';
import { count } from '../../base/words.ts';
import { spanText } from '../../control/lvsctl/words.ts';
import type { Head } from '../page/messages.ts';
import { agoText, bitsText, countText } from './format.ts';
import type { Connection } from './live.ts';
import { Curve, Outside } from './parts.tsx';

/** Milliseconds after which what is shown counts as old. */
export const OLD = 10_000;

export function Top({
  head,
  connection,
  age,
  problem,
  now,
}: {
  head: Head | undefined;
  connection: Connection;
  /** Milliseconds since the daemon answered. */
  age: number | undefined;
  problem: string | undefined;
  now: number;
}) {
  const shown = age === undefined ? '' : `, shown: ${spanText(age)} ago`;
  const [level, text] =
    connection === 'lost'
      ? ['bad', `connection lost${shown}`]
      : problem !== undefined
        ? ['bad', `lvsd does not answer${shown}`]
        : connection === 'connecting' || age === undefined
          ? ['', 'connecting']
          : age > OLD
            ? ['bad', `no news for ${spanText(age)}`]
            : ['good', 'live'];
  return (
    <header class="top">
      <h1>lvsd {head && <Outside text={head.host} />}</h1>
      <span class={`pill ${level}`}>
        <span aria-hidden="true">{level === 'good' ? '●' : level === 'bad' ? '▼' : '○'}</span> {text}
      </span>
      {head && (
        <span class="dim about">
          {head.version}, up {spanText(now - head.startedAt)}, <Outside text={head.file} /> loaded{' '}
          {agoText(now - head.loadedAt)} ago
        </span>
      )}
    </header>
  );
}

/** Faults that concern all services. Their texts have no ages, which a screen reader would read again and again. */
export function Alerts({
  head,
  connection,
  problem,
}: {
  head: Head | undefined;
  connection: Connection;
  problem: string | undefined;
}) {
  const alerts: string[] = [];
  if (connection === 'lost')
    alerts.push('No connection to lvsd web: nothing below is current. The page tries to connect again.');
  else if (problem !== undefined) alerts.push(`lvsd does not answer, and nothing below is current: ${problem}`);
  if (head?.reloadError !== undefined)
    alerts.push(`The file was rejected, the configuration before it is in use: ${head.reloadError}`);
  if (head?.paused) alerts.push('lvsd is paused: nothing is written to the kernel until lvsctl resume');
  if (head?.checksStopped !== undefined) alerts.push(`No checks are made, all states are kept: ${head.checksStopped}`);
  for (const { file, problem: what, reason } of head?.files ?? []) alerts.push(`${file} ${what}: ${reason}`);
  return (
    <div role="alert" class="alerts">
      {alerts.map((text) => (
        <p key={text} class="alert">
          <Outside text={text} />
        </p>
      ))}
    </div>
  );
}

export function Tiles({ head, bad, onBad }: { head: Head; bad: boolean; onBad: () => void }) {
  const down = [
    ...(head.draining > 0 ? [`${head.draining} draining`] : []),
    ...(head.unprobed > 0 ? [`${head.unprobed} not checked yet`] : []),
  ];
  return (
    <section class="tiles" aria-label="All services together">
      <button
        type="button"
        class={`tile ${head.bad > 0 ? 'bad' : ''}`}
        aria-pressed={bad}
        onClick={onBad}
        title="Only services that are not up (!)"
      >
        <span>
          <b>{head.bad}</b> of {count(head.services, 'service')} not up
        </span>
        <small>{bad ? 'only these are shown' : head.bad > 0 ? 'show only these' : 'all are up'}</small>
      </button>
      <Tile level={head.down > 0 ? 'bad' : ''} note={down.join(', ') || 'none draining'}>
        <b>{head.down}</b> of {count(head.realServers, 'real server')} down
      </Tile>
      <Tile curve={head.history?.connections ?? []}>
        <b>{countText(head.connections)}</b> connections/s
      </Tile>
      <Tile curve={head.history?.traffic ?? []}>
        <b>{bitsText(head.traffic)}</b> traffic
      </Tile>
      <Tile note={`${count(head.overrides, 'override')} by operators`}>
        <b>{countText(head.active)}</b> active connections
      </Tile>
      <Tile level={head.refused > 0 ? 'bad' : ''} note={`${head.repaired} repaired in the last hour`}>
        <b>{head.refused}</b> {head.refused === 1 ? 'difference' : 'differences'} to the file
      </Tile>
    </section>
  );
}

function Tile({
  level = '',
  note,
  curve,
  children,
}: {
  level?: string;
  note?: string;
  curve?: readonly (number | null)[];
  children: ComponentChildren;
}) {
  return (
    <div class={`tile ${level}`}>
      {children}
      {note !== undefined && <small>{printable(note)}</small>}
      {curve && <Curve points={curve} />}
    </div>
  );
}
