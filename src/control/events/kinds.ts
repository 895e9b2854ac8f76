// SPDX-License-Identifier: MIT
/** The kinds of events. Names are stable: programs select by them. docs/events.md is compared with this table. */

export const KINDS = {
  'real_server.up': 'The checks of a real server pass: it gets connections.',
  'real_server.down': 'A check of a real server fails: it gets no new connections.',
  'real_server.unprobed': 'A real server cannot be checked, for a reason on this node; its state is kept.',
  'real_server.probed': 'A real server is checked again.',
  'real_server.override': 'An operator drained a real server, disabled it, forced it up or set its weight.',
  'real_server.override_ended': 'What an operator had set for a real server was ended.',
  'service.quorum_gained': 'Enough real servers of a service are up.',
  'service.quorum_lost': 'Too few real servers of a service are up: sorry server in use, or address withdrawn.',
  'service.refused': 'The kernel refused a change of a service, or it is not possible; it is tried again.',
  'service.accepted': 'The refused change was accepted.',
  'table.refused': 'The kernel refused a change of a pool or of global settings; it is tried again.',
  'table.accepted': 'The refused change was accepted.',
  'table.drift': 'Another program changed what lvsd had set; lvsd sets it again.',
  'config.loaded': 'A reload was accepted.',
  'config.rejected': 'A reload was rejected as a whole; the running configuration stays.',
  'checks.stopped': 'No checks are made; all states are kept.',
  'checks.resumed': 'Checks are made again.',
  'daemon.starting': 'lvsd starts.',
  'daemon.ready': 'The kernel has the configuration.',
  'daemon.stopping': 'lvsd was told to end.',
  'daemon.done': 'lvsd apply ended.',
  'daemon.removed': 'lvsd removed what it had added (`on_stop: remove`).',
  'daemon.paused': 'An operator paused lvsd: nothing is written to the kernel.',
  'daemon.resumed': 'An operator ended the pause.',
  'file.ignored': 'A file of an earlier run was not accepted.',
  'file.not_saved': 'Overrides could not be written to their file.',
  'file.saved': 'Overrides are in their file again.',
  'vrrp.state': 'A virtual router changed its state.',
  'vrrp.contested': 'Another router is master too.',
  'vrrp.two_owners': 'Another router is configured as owner of the addresses.',
  'vrrp.address_restored': 'A virtual address was missing, and was added again.',
  'vrrp.interval': 'The master has another interval of adverts.',
  'vrrp.priority': 'The effective priority changed.',
} as const;

export type Kind = keyof typeof KINDS;

/** Whether `word` is a kind, or the part before the dot of one: `real_server` selects all that begin with it. */
export function selectsKinds(word: string): boolean {
  return Object.keys(KINDS).some((kind) => kind === word || kind.startsWith(`${word}.`));
}
