// SPDX-License-Identifier: MIT
/** Main function of the VRRP process: takes configurations from the daemon, reports states, and exits with it. */
import { BEAT, type FromVrrp, type ToVrrp } from './messages.ts';
import { Outbox } from './outbox.ts';
import { dropCapabilities } from './privileges.ts';
import { Router } from './router.ts';
import { raisePriority } from './scheduling.ts';

/** Milliseconds until threads that came later get the priority too. */
const FIRST_CHECK = 1000;
const LATER_CHECKS = 60_000;

export function serveVrrp(): void {
  const kept = dropCapabilities();
  const outbox = new Outbox((message, done) => {
    if (process.connected) process.send?.(message, undefined, undefined, done);
  });
  const send = (message: FromVrrp) => outbox.send(message);
  const router = new Router(send);
  const scheduling = raisePriority();
  if (scheduling === 'normal')
    send({
      type: 'log',
      level: 'warn',
      text: 'VRRP runs with normal priority, for lack of LimitRTPRIO=10 (systemd) or CAP_SYS_NICE: use advert intervals of 1 s or more',
    });
  if (kept !== undefined)
    send({ type: 'log', level: 'warn', text: `the VRRP process cannot start again with fewer capabilities: ${kept}` });
  // Threads of libuv's pool and of V8 come later.
  setTimeout(raisePriority, FIRST_CHECK);
  setInterval(raisePriority, LATER_CHECKS);
  const started = router.start().then(() => setInterval(() => send({ type: 'beat' }), BEAT));
  const leave = () => void router.stop().finally(() => process.exit(0));

  // Signals of terminals and init systems are for the daemon; without it the addresses must go.
  process.on('disconnect', leave);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
  process.on('message', (message: ToVrrp) => {
    void started.then(() => receive(message));
  });
  started.catch((error: Error) => {
    send({ type: 'log', level: 'error', text: `the VRRP process cannot start: ${error.message}` });
    setImmediate(() => process.exit(1));
  });

  function receive(message: ToVrrp): void {
    switch (message.type) {
      case 'configure':
        void router.configure(message.instances);
        break;
      case 'services':
        router.services(message.up, message.checked);
        break;
      case 'announce':
        router.announce(message.instance);
        break;
      case 'yield':
        router.yield(message.instance, message.hold);
        break;
      case 'status':
        send({ type: 'status', request: message.request, instances: router.status() });
        break;
    }
  }
}
