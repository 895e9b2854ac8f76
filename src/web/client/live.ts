// SPDX-License-Identifier: MIT
/** The connection to the server: its messages, and whether it is lost. */

import type { LiveMessage } from '../page/messages.ts';
import { clock } from './clock.ts';

/** Milliseconds without a message after which the connection counts as lost: three heartbeats. */
const SILENCE = 10_000;
const RETRY = 2000;
const WATCH = 1000;

export type Connection = 'connecting' | 'live' | 'lost';

/** Follows `path` until the returned function is called. Without a visible page there is no connection. */
export function followLive(
  path: string,
  onMessage: (message: LiveMessage) => void,
  onState: (state: Connection) => void,
): () => void {
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let heard = clock();
  const connect = () => {
    clearTimeout(retry);
    source?.close();
    source = undefined;
    if (document.hidden) return;
    heard = clock();
    source = new EventSource(path);
    source.onmessage = ({ data }: MessageEvent<string>) => {
      heard = clock();
      onState('live');
      onMessage(JSON.parse(data) as LiveMessage);
    };
    source.onerror = () => {
      onState('lost');
      // After an answer that is an error, a browser does not try again.
      if (source?.readyState !== EventSource.CLOSED) return;
      clearTimeout(retry);
      retry = setTimeout(connect, RETRY);
    };
  };
  const watch = setInterval(() => {
    if (source && clock() - heard > SILENCE) onState('lost');
  }, WATCH);
  document.addEventListener('visibilitychange', connect);
  connect();
  return () => {
    clearInterval(watch);
    clearTimeout(retry);
    document.removeEventListener('visibilitychange', connect);
    source?.close();
  };
}
