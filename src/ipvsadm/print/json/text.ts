// SPDX-License-Identifier: MIT
/** JSON with 64-bit integers, which JSON.stringify rejects: they are written with all digits. */

export type Json =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

/** One line. Undefined members of an object are omitted, as by JSON.stringify. */
export function jsonText(value: Json): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  let text = '';
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    text += `${text && ','}${JSON.stringify(name)}:${jsonText(member)}`;
  }
  return `{${text}}`;
}
