// SPDX-License-Identifier: MIT
/** The part of the configuration that `lvsd web` gets from the daemon: paths, not the contents of files. */

export const WEB_PARTS = ['metrics', 'events', 'page'] as const;
export type WebPart = (typeof WEB_PARTS)[number];

export interface WebSettings {
  /** As text (listen-address.ts). */
  listen: readonly string[];
  serve: readonly WebPart[];
  /** Names by which it may be asked. */
  hosts: readonly string[];
  tls: { certificate: string; key: string; clientCa: string | undefined } | undefined;
  /** File with users and their passwords. */
  users: string | undefined;
  /** Plain HTTP, or no users, may be reached from other machines. */
  insecure: boolean;
}

export const DEFAULT_WEB: WebSettings = {
  listen: ['127.0.0.1:5873'],
  serve: WEB_PARTS,
  hosts: [],
  tls: undefined,
  users: undefined,
  insecure: false,
};
