// SPDX-License-Identifier: MIT
/** Texts and fields of the log lines and events of the daemon. `service` is a name in the file. */
import type { EventFields } from '../../control/events/types.ts';
import type { Inability, Transition } from '../../health/types.ts';
import type { Stop } from '../../health/worker/liveness.ts';
import { type Drift, describe, toJson } from '../../plan/index.ts';
import { serviceText } from '../../plan/texts.ts';
import type { Operation } from '../../plan/types.ts';
import { kindOf, type Override, type OverrideNote } from '../model/overrides.ts';
import type { QuorumChange } from '../model/runtime-state.ts';
import { type RealServer, serverText, type VirtualService } from '../model/virtual-services.ts';

export interface Message {
  text: string;
  fields: EventFields;
}

/** A real server that went up or down. */
export function serverMessage(service: VirtualService, server: RealServer, { up, reason, code }: Transition): Message {
  const state = up ? 'up' : 'down';
  const { text, fields } = subject(service, server);
  return { text: `${text} is ${state}: ${reason}`, fields: { ...fields, state, reason, ...(code && { code }) } };
}

/** A check of a real server that other checks keep down. */
export function checkMessage(
  service: VirtualService,
  server: RealServer,
  { id, up, reason, code }: Transition,
): Message {
  const { text, fields } = subject(service, server);
  const type = server.targets.find((target) => target.id === id)?.check.type ?? '';
  const what = `its ${type} check ${up ? 'passes again' : 'fails as well'}`;
  return {
    text: `${text} is still down: ${what}: ${reason}`,
    fields: { ...fields, state: 'down', reason, ...(code && { code }) },
  };
}

/** `inability`: why the check cannot be made; undefined: it can again. */
export function inabilityMessage(
  service: VirtualService,
  server: RealServer,
  id: string,
  inability: Inability | undefined,
): Message {
  const { text, fields } = subject(service, server);
  const type = server.targets.find((target) => target.id === id)?.check.type ?? '';
  return inability
    ? {
        text: `${text} cannot be checked, its state is kept: ${type}: ${inability.reason}`,
        fields: { ...fields, state: 'not checked', reason: inability.reason, code: 'local' },
      }
    : { text: `${text} is checked again`, fields: { ...fields, state: 'checked', reason: `${type} check` } };
}

/** `stop`: why no checks are made; undefined: they are again. */
export function checksMessage(stop: Stop | undefined): Message {
  return stop
    ? {
        text: `health checks have stopped, all states are kept: ${stop.reason}`,
        fields: { state: 'not checking', reason: stop.reason },
      }
    : { text: 'health checks run again', fields: { state: 'checking', reason: 'the health worker responds' } };
}

function subject(service: VirtualService, server: RealServer): Message {
  const virtual = serviceText(service.config);
  const address = serverText(server);
  const name = server.spec.name === address ? '' : ` (${server.spec.name})`;
  return {
    text: `${virtual} real server ${address}${name}`,
    fields: { service: service.spec.name, virtual, server: server.spec.name, address },
  };
}

/** A service that gained or lost its quorum. */
export function quorumMessage({ service, up, weight }: QuorumChange): Message {
  const virtual = serviceText(service.config);
  const { quorum, hysteresis } = service.spec;
  const needed = up ? quorum + hysteresis : Math.max(quorum - hysteresis, 1);
  const change = up
    ? `reached its quorum: weight ${weight}, needs ${needed}`
    : `lost its quorum: weight ${weight}, needs ${needed}`;
  const sorry = service.sorryServer ? (up ? '; sorry server removed' : '; sorry server in use') : '';
  const reason = `weight ${weight}, needs ${needed}`;
  return {
    text: `${virtual} ${change}${sorry}`,
    fields: { service: service.spec.name, virtual, state: up ? 'up' : 'down', reason, weight, needed },
  };
}

/** An override that an operator set (`on`) or ended. */
export function overrideMessage(override: Override, on: boolean): Message {
  const { service, server, weight, by, reason } = override;
  const { set, ended, states } = OVERRIDE_WORDS[kindOf(override)];
  const details = on ? [by, reason].filter((one) => one !== undefined).join(': ') : '';
  return {
    text: `real server ${server} ${on ? set(weight) : ended}${details === '' ? '' : ` (${details})`}`,
    fields: {
      service,
      address: server,
      state: on ? states[0] : states[1],
      reason: reason ?? 'operator',
      ...(on && weight !== undefined ? { weight } : {}),
      ...(by === undefined ? {} : { by }),
    },
  };
}

const OVERRIDE_WORDS = {
  drain: {
    set: () => 'drained by the operator',
    ended: 'no longer drained',
    states: ['draining', 'undrained'],
  },
  disable: {
    set: () => 'disabled by the operator',
    ended: 'no longer disabled',
    states: ['disabled', 'enabled'],
  },
  up: {
    set: () => 'forced up by the operator',
    ended: 'no longer forced up',
    states: ['forced up', 'enabled'],
  },
  weight: {
    set: (weight: number | undefined) => `set to weight ${weight} by the operator`,
    ended: 'has the weight of the file again',
    states: ['weight set', 'weight reset'],
  },
} as const;

/** Describes how a new configuration changed an override. */
export function overrideNoteText({ override, change, was }: OverrideNote): string {
  const { service, server } = override;
  const subject = `${service}: the override "${kindOf(override)}" of real server ${server}`;
  switch (change) {
    case 'renamed':
      return `${subject} was moved along with the service, whose name was ${was}`;
    case 'orphaned':
      return `${subject} is kept without effect: the file has no such server; it takes effect when the server is in the file again, unless lvsctl ends it`;
    case 'returned':
      return `${subject} takes effect: the server is in the file`;
  }
}

/** `service`: the name in the file, if the file has it. */
export function driftMessage({ text, virtual, address }: Drift, service: string | undefined): Message {
  return {
    text,
    fields: { service, virtual, address, state: 'drifted', reason: 'changed by another program' },
  };
}

export interface Rejection {
  reason: string;
  /** Further operations of the same service or pool that failed. */
  further?: number;
  attempts: number;
  /** Seconds; undefined: it is not tried again. */
  retryIn: number | undefined;
}

/** An operation that failed and will be retried. */
export function rejectionMessage(operation: Operation, { reason, further = 0, attempts, retryIn }: Rejection): Message {
  const { sign, text } = describe(operation);
  const more = further > 0 ? `; and ${further} more` : '';
  return {
    text: `failed: ${sign} ${text}: ${reason}${more}${retryIn === undefined ? '' : `; attempt ${attempts}, next one in ${retryIn} s`}`,
    fields: { ...operationFields(operation), state: 'failed', reason, attempts, delay: retryIn },
  };
}

/** The fields that identify the subject of an operation. */
export function operationFields(operation: Operation): EventFields {
  const { op, service, virtual, realServer, address } = toJson(operation);
  return { op, service, virtual, address: realServer ?? address };
}
