// SPDX-License-Identifier: MIT
/** Names of scheduler flags, as in ipvsadm: the same flag has another name with each scheduler. */
import { IP_VS_SVC_F_SCHED1, IP_VS_SVC_F_SCHED2, IP_VS_SVC_F_SCHED3 } from '../../ipvs/index.ts';
import { usage } from '../errors.ts';

const NAMES: readonly { readonly name: string; readonly flag: number; readonly scheduler?: string }[] = [
  { name: 'sh-fallback', flag: IP_VS_SVC_F_SCHED1, scheduler: 'sh' },
  { name: 'sh-port', flag: IP_VS_SVC_F_SCHED2, scheduler: 'sh' },
  { name: 'mh-fallback', flag: IP_VS_SVC_F_SCHED1, scheduler: 'mh' },
  { name: 'mh-port', flag: IP_VS_SVC_F_SCHED2, scheduler: 'mh' },
  { name: 'flag-1', flag: IP_VS_SVC_F_SCHED1 },
  { name: 'flag-2', flag: IP_VS_SVC_F_SCHED2 },
  { name: 'flag-3', flag: IP_VS_SVC_F_SCHED3 },
];
const SCHED_FLAGS = [IP_VS_SVC_F_SCHED1, IP_VS_SVC_F_SCHED2, IP_VS_SVC_F_SCHED3];

/** 'sh-fallback,sh-port' -> flags. Rejects names that belong to another scheduler. */
export function parseSchedulerFlags(text: string, scheduler: string): number {
  let flags = 0;
  for (const word of text.split(',').filter((part) => part !== '')) {
    const entry = NAMES.find(({ name }) => name === word);
    if (!entry) throw usage(`invalid scheduler flag \`${word}'`);
    if (entry.scheduler && entry.scheduler !== scheduler) throw usage(`incompatible scheduler flag \`${word}'`);
    flags |= entry.flag;
  }
  return flags;
}

/** Flags -> 'sh-fallback,sh-port'; '' if there are none. */
export function schedulerFlagsText(flags: number, scheduler: string): string {
  if (!SCHED_FLAGS.some((flag) => flags & flag)) return '';
  return SCHED_FLAGS.filter((flag) => flags & flag)
    .map(
      (flag) =>
        (
          NAMES.find((entry) => entry.flag === flag && entry.scheduler === scheduler) ??
          NAMES.find((entry) => entry.flag === flag && !entry.scheduler)
        )?.name,
    )
    .join(',');
}
