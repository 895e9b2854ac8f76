// SPDX-License-Identifier: MIT
/** One service: its charts, real servers, local addresses and events. */
import { useEffect, useRef } from 'preact/hooks';
import { printable } from '../../base/printable.ts';
import { latencyText, short, spanText } from '../../control/lvsctl/words.ts';
import type { Detail, PageEvent, ServerRow } from '../page/messages.ts';
import { Chart } from './chart.tsx';
import { agoText, bitRateText, bitsText, commandText, countText, serverCommand, shareText } from './format.ts';
import { Copy, Fill, Outside, State } from './parts.tsx';
import { Events } from './side.tsx';

interface Properties {
  name: string;
  /** Null: there is no such service. Undefined: not known yet. */
  detail: Detail | null | undefined;
  events: readonly PageEvent[];
  now: number;
  onClose: () => void;
}

export function ServiceDetail({ name, detail, events, now, onClose }: Properties) {
  const heading = useRef<HTMLHeadingElement>(null);
  // Another service takes the focus, an update does not.
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
    heading.current?.closest('section')?.scrollIntoView({ block: 'nearest' });
  }, [name]);
  return (
    <section class="detail" aria-labelledby="detail">
      <header>
        <h2 id="detail" ref={heading} tabIndex={-1}>
          <Outside text={name} />
        </h2>
        {detail && <Facts detail={detail} />}
        <span class="buttons">
          <Copy command={commandText('lvsctl', 'status', name)} label="copy status command" />
          <button type="button" class="close" onClick={onClose} aria-label="Close" title="Close (Esc)">
            ✕
          </button>
        </span>
      </header>
      {detail === null && <p class="nothing">There is no service of this name in the file.</p>}
      {detail === undefined && <p class="nothing">Asking…</p>}
      {detail && <Body detail={detail} events={events} now={now} />}
    </section>
  );
}

function Facts({ detail }: { detail: Detail }) {
  const { state, virtual, forward, scheduler, quorum, sorry, others } = detail;
  return (
    <>
      <State state={state} />
      <span class="dim">
        <Outside text={virtual} />, {forward}, {scheduler}, weight {quorum.weight}, quorum {quorum.needed}
        {quorum.up ? '' : ' lost'}
        {sorry && ', sorry server in use'}
        {others.length > 0 && `; also ${others.join(', ')}`}
      </span>
    </>
  );
}

function Body({ detail, events, now }: { detail: Detail; events: readonly PageEvent[]; now: number }) {
  const { history } = detail;
  const bits = (points: typeof history.in) => points.map((one) => (one === null ? null : 8 * one));
  return (
    <>
      {detail.error !== undefined && (
        <p class="alert" role="alert">
          kernel refused: <Outside text={detail.error} />
        </p>
      )}
      <div class="charts">
        <Chart
          title="New connections per second"
          unit=""
          at={history.at}
          lines={[{ label: 'now', points: history.connections }]}
          text={countText}
        />
        <Chart
          title="Traffic"
          unit="b/s"
          at={history.at}
          lines={[
            { label: 'in', points: bits(history.in) },
            { label: 'out', points: bits(history.out) },
          ]}
          text={bitRateText}
        />
      </div>
      {/* Wide on a phone; its buttons make it scroll for the keyboard too. */}
      <div class="sideways">
        <RealServers service={detail.name} list={detail.realServers} now={now} />
        {detail.localAddresses.length > 0 && <LocalAddresses detail={detail} />}
      </div>
      <Events
        list={events.filter(({ service }) => service === detail.name)}
        title="Its events among the last 100"
        id="detail-events"
      />
    </>
  );
}

function Headings({ names, numbers = false }: { names: readonly string[]; numbers?: boolean }) {
  return names.map((name) => (
    <th key={name} scope="col" class={numbers ? 'number' : ''}>
      {name}
    </th>
  ));
}

function RealServers({ service, list, now }: { service: string; list: readonly ServerRow[]; now: number }) {
  return (
    <table class="plain">
      <thead>
        <tr>
          <Headings names={['Real server', 'State']} />
          <Headings
            names={['Since', 'Weight', 'Active', 'Inactive', 'Conn/s', 'In', 'Out', 'Check', 'Failed']}
            numbers={true}
          />
          <Headings names={['Why', 'Command']} />
        </tr>
      </thead>
      <tbody>
        {list.map((server) => (
          <tr key={`${server.name} ${server.address}`} class={server.state}>
            <th scope="row" title={printable(server.name)}>
              <span class="two-lines">
                <Outside text={server.name} />
              </span>
              {server.name !== server.address && <span class="below">{server.address}</span>}
            </th>
            <td>
              <State state={server.state} />
            </td>
            <td class="number">{server.since === undefined ? '-' : agoText(now - server.since)}</td>
            <td class="number">{weightText(server)}</td>
            <td class="number">{short(server.active)}</td>
            <td class="number">{short(server.inactive)}</td>
            <td class="number">{countText(server.connections)}</td>
            <td class="number">{bitsText(server.in)}</td>
            <td class="number">{bitsText(server.out)}</td>
            <td class="number">{server.latency === undefined ? '-' : latencyText(server.latency)}</td>
            <td class="number">{failedText(server)}</td>
            <td class="reason" title={printable(reasonText(server, now))}>
              <span class="two-lines">
                <Outside text={reasonText(server, now)} />
              </span>
            </td>
            <td>
              <Copy command={serverCommand(service, server)} label={`copy ${commandName(server)}`} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const commandName = ({ override }: ServerRow) =>
  override === 'drain' ? 'undrain' : override === undefined ? 'drain' : 'enable';

const weightText = ({ weight, configuredWeight }: ServerRow): string =>
  weight === configuredWeight ? `${configuredWeight}` : `${weight ?? 0} of ${configuredWeight}`;

const failedText = ({ checks, failures }: ServerRow): string =>
  checks === null ? '-' : `${short(failures ?? 0)} of ${short(checks)}`;

/** "weight 5 by alice 3m ago (CHG-1); connection refused": overrides, a reason that prevents checks, the last result. */
function reasonText({ overrides = [], inability, reason = '' }: ServerRow, now: number): string {
  const set = overrides.map(({ kind, weight, by, at, reason: note }) =>
    [
      kind === 'weight' ? `weight ${weight ?? 0}` : { drain: 'drained', disable: 'disabled', up: 'forced up' }[kind],
      ...(by === undefined ? [] : [`by ${by}`]),
      ...(at === undefined ? [] : [`${spanText(now - at)} ago`]),
      ...(note === undefined ? [] : [`(${note})`]),
    ].join(' '),
  );
  const cannot = inability ? [`cannot be checked: ${inability.reason}`] : [];
  return [...set, ...cannot, ...(reason === '' ? [] : [reason])].join('; ');
}

function LocalAddresses({ detail }: { detail: Detail }) {
  return (
    <table class="plain">
      <thead>
        <tr>
          <th scope="col">
            Local address of <Outside text={detail.pool} />
          </th>
          <Headings names={['Ports in use, by all its services']} />
          <Headings names={['Connections', 'No free port', 'Conflicts']} numbers={true} />
        </tr>
      </thead>
      <tbody>
        {detail.localAddresses.map((one) => (
          <tr key={one.address}>
            <th scope="row">
              {one.address} {one.draining && <State state="draining" />}
            </th>
            <td>
              <Fill part={one.portsInUse} whole={one.ports} label={shareText(one.portsInUse, one.ports)} />{' '}
              {shareText(one.portsInUse, one.ports)}, {short(one.portsInUse)} of {short(one.ports)}
            </td>
            <td class="number">{short(one.connections)}</td>
            <td class={`number ${one.exhausted > 0 ? 'bad-text' : ''}`}>{short(one.exhausted)}</td>
            <td class="number">{short(one.conflicts)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
