// SPDX-License-Identifier: MIT
/**
 * Checks what the daemon sends, for lvsctl and `lvsd web`: an answer of another version, or of another program, is an error
 * that names the field, and not a TypeError where it is used. Pure.
 */
import { MalformedError } from '../../base/errors.ts';
import {
  among,
  isDeeper,
  list,
  type Misfit,
  misfitText,
  number,
  object,
  optional,
  type Shape,
  text,
  truth,
} from '../../base/shape.ts';
import { WEB_PARTS, type WebSettings } from '../../base/web-settings.ts';
import type { EventItem } from '../events/types.ts';
import type { RpcError } from '../json-rpc.ts';
import type { Method, Overridden, Result } from '../methods.ts';
import type { StatsPart } from '../metrics/stats.ts';
import { eventItems } from './events.ts';
import { statsPart, statsSummary } from './stats.ts';
import { daemonStatus, overview, planLines, planObstacles, serverHistory, vrrpState, vrrpStatus } from './status.ts';

/** Levels of lists and objects: more than any answer has. */
const DEEPEST = 32;

const OVERRIDDEN = {
  servers: list(text),
  unchanged: optional(list(text)),
  paused: truth,
  unsaved: optional(text),
  notes: optional(list(text)),
  plan: optional(planLines),
};

const overridden = object<Overridden>(OVERRIDDEN);

const webSettings = object<WebSettings>({
  listen: list(text),
  serve: list(among(WEB_PARTS)),
  hosts: list(text),
  tls: optional(object<NonNullable<WebSettings['tls']>>({ certificate: text, key: text, clientCa: optional(text) })),
  users: optional(text),
  insecure: truth,
});

const ANSWERS: { readonly [M in Method]: Shape<Result<M>> } = {
  ping: object<Result<'ping'>>({ version: text, pid: number, file: text }),
  status: daemonStatus,
  overview,
  stats: statsSummary,
  history: object<Result<'history'>>({ servers: list(serverHistory) }),
  vrrp: object<Result<'vrrp'>>({ instances: list(vrrpStatus) }),
  plan: object<Result<'plan'>>({
    file: text,
    lines: planLines,
    obstacles: optional(planObstacles),
    paused: optional(truth),
  }),
  reload: object<Result<'reload'>>({ operations: number, failed: list(text), paused: truth }),
  drain: overridden,
  undrain: overridden,
  disable: overridden,
  forceUp: overridden,
  enable: overridden,
  weight: object<Result<'weight'>>({ ...OVERRIDDEN, weight: optional(number) }),
  pause: object<Result<'pause'>>({ paused: truth }),
  events: object<Result<'events'>>({ cursor: text }),
  'config.summary': object<Result<'config.summary'>>({ web: optional(webSettings) }),
  yield: object<Result<'yield'>>({ instance: text, state: vrrpState, reason: optional(text) }),
  announce: object<Result<'announce'>>({ instance: text, state: vrrpState }),
  secret: object<Result<'secret'>>({ fingerprints: list(text) }),
};

const rpcError = object<RpcError>({
  code: number,
  message: text,
  data: optional(object<{ code: string }>({ code: text })),
});

function unexpected(what: string, whole: string, misfit: Misfit | undefined): MalformedError {
  const why = misfit ? misfitText(misfit, whole) : `it has more than ${DEEPEST} levels`;
  return new MalformedError(
    `lvsd sent ${what} that this program does not understand: ${why}; are both of the same version?`,
  );
}

/** `whole`: what a message calls the value. `printed`: with what the shape does not name. Throws MalformedError. */
function read<T>(value: unknown, shape: Shape<T>, what: string, whole: string, printed = true): T {
  const misfit = shape(value);
  if (misfit || (printed && isDeeper(value, DEEPEST))) throw unexpected(what, whole, misfit);
  return value as T;
}

/** The result of a request. Throws MalformedError. */
export const readAnswer = <M extends Method>(method: M, result: unknown): Result<M> =>
  read<Result<M>>(result, ANSWERS[method], `an answer to ${method}`, 'the answer');

/** The error of a request. Throws MalformedError. */
export const readRpcError = (error: unknown): RpcError => read(error, rpcError, 'an error', 'the error');

/** The parameters of a notification `rows`. Throws MalformedError. */
export const readRows = (params: unknown): StatsPart => read(params, statsPart, 'rows', 'the notification', false);

/** The parameters of a notification `events`. Throws MalformedError. */
export const readEvents = (params: unknown): EventItem[] =>
  read(params, eventItems, 'events', 'the notification') as EventItem[];
