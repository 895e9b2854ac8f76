// SPDX-License-Identifier: MIT
/** Beside the services: virtual routers, pools of local addresses, what lvsd cannot do, and events. */
import { printable } from '../../base/printable.ts';
import { short, spanText } from '../../control/lvsctl/words.ts';
import type { FailureStatus } from '../../control/messages.ts';
import type { PageEvent, Pool, VirtualRouter } from '../page/messages.ts';
import { shareText, timeText } from './format.ts';
import { Fill, Outside } from './parts.tsx';

export function VirtualRouters({ list, now }: { list: readonly VirtualRouter[]; now: number }) {
  if (list.length === 0) return null;
  return (
    <section aria-labelledby="vrrp">
      <h2 id="vrrp">VRRP</h2>
      <ul class="list">
        {list.map((one) => (
          <li key={one.name}>
            <b>
              <Outside text={one.name} />
            </b>{' '}
            <span class={`role ${one.state}`}>{one.state}</span> priority {one.priority}
            <p class="dim">
              {one.interface} virtual router {one.virtualRouterId}, {addressesText(one.addresses)}
              {one.since !== undefined && `, for ${spanText(now - one.since)}`}
              {one.reason !== '' && (
                <>
                  : <Outside text={one.reason} />
                </>
              )}
            </p>
            {one.faults.map((fault) => (
              <p key={fault} class="bad-text">
                <Outside text={fault} />
              </p>
            ))}
          </li>
        ))}
      </ul>
    </section>
  );
}

const addressesText = (count: number) => `${count} ${count === 1 ? 'address' : 'addresses'}`;

export function Pools({ list }: { list: readonly Pool[] }) {
  if (list.length === 0) return null;
  return (
    <section aria-labelledby="pools">
      <h2 id="pools">Local addresses</h2>
      <ul class="list">
        {list.map((one) => (
          <li key={one.name}>
            <div class="line">
              <b>
                <Outside text={one.name} />
              </b>
              <Fill
                part={one.portsInUse}
                whole={one.ports}
                label={`${shareText(one.portsInUse, one.ports)} of its ports in use`}
              />
              <span class="number">{shareText(one.portsInUse, one.ports)}</span>
            </div>
            <p class="dim">
              {short(one.portsInUse)} of {short(one.ports)} ports, {addressesText(one.addresses)}; fullest {one.fullest}{' '}
              {shareText(one.fullestShare, 1)}
            </p>
            {one.exhausted > 0 && <p class="bad-text">no free port: {short(one.exhausted)} times</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Failures({ list, count, now }: { list: readonly FailureStatus[]; count: number; now: number }) {
  if (list.length === 0) return null;
  return (
    <section aria-labelledby="failures">
      <h2 id="failures">Refused changes</h2>
      <ul class="list">
        {list.map(({ of, name, since, changes }) => (
          <li key={`${of} ${name ?? ''}`}>
            <b>
              {of} {name !== undefined && <Outside text={name} />}
            </b>{' '}
            for {spanText(now - since)}
            {changes.map(({ sign, text, reason }) => (
              <p key={`${sign}${text}`} class="bad-text three-lines" title={printable(`${text}: ${reason}`)}>
                {sign} <Outside text={text} />: <Outside text={reason} />
              </p>
            ))}
          </li>
        ))}
      </ul>
      {count > list.length && <p class="dim">and {count - list.length} more: lvsctl status --brief</p>}
    </section>
  );
}

export function Events({ list, title, id }: { list: readonly PageEvent[]; title: string; id: string }) {
  return (
    <section aria-labelledby={id} class="events">
      <h2 id={id}>{title}</h2>
      <ol aria-live="polite" aria-relevant="additions">
        {list.map((event) => (
          <li key={event.id} class={event.severity}>
            <time dateTime={new Date(event.at).toISOString()}>{timeText(event.at)}</time>{' '}
            {event.severity !== 'info' && (
              <span class="severity" role="img" aria-label={event.severity}>
                ▲
              </span>
            )}{' '}
            <Outside text={event.text} />
          </li>
        ))}
      </ol>
      {list.length === 0 && <p class="dim">none yet</p>}
    </section>
  );
}
