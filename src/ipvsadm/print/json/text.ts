// SPDX-License-Identifier: MIT
/** JSON with 64-bit integers, which JSON.stringify refuses: they are written as they are, digit for digit. */

export type Json =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

/** One line. What is undefined in an object is left out, as JSON.stringify does. */
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
