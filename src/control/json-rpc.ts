// SPDX-License-Identifier: MIT
/** JSON-RPC 2.0 as objects: what a line says, and what answers it. Knows no sockets and no methods. */
import { INVALID_REQUEST, PARSE_ERROR } from './messages.ts';

export type Id = string | number | null;

export interface Request {
  /** Undefined for a notification, which nobody answers. */
  id: Id | undefined;
  method: string;
  params: unknown;
}

export interface RpcError {
  code: number;
  message: string;
  /** `code` of the error as lvsd's programs know it: 'ERR_LVSD_USAGE'. */
  data?: { code: string };
}

export interface Failure {
  id: Id;
  error: RpcError;
}

export const INTERNAL_ERROR = -32603;

/** A line as a request, or as the failure to answer it with. */
export function readRequest(line: string): Request | Failure {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { id: null, error: { code: PARSE_ERROR, message: 'this line is no JSON' } };
  }
  const refuse = (message: string, id: Id = null) => ({ id, error: { code: INVALID_REQUEST, message } });
  if (Array.isArray(value)) return refuse('no batches: send each request on a line of its own');
  if (typeof value !== 'object' || value === null) return refuse('a request is an object');
  const request = value as Record<string, unknown>;
  const { id, jsonrpc, method, params } = request;
  if (id !== undefined && id !== null && typeof id !== 'string' && typeof id !== 'number')
    return refuse('id must be a string, a number or null');
  if (jsonrpc !== '2.0') return refuse('jsonrpc must be "2.0"', id ?? null);
  if (typeof method !== 'string') return refuse('method must be a string', id ?? null);
  return { id, method, params };
}

export const resultLine = (id: Id, result: unknown) => `${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`;

export const failureLine = ({ id, error }: Failure) => `${JSON.stringify({ jsonrpc: '2.0', id, error })}\n`;

export const requestLine = (id: Id, method: string, params: unknown) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;

export const notificationLine = (method: string, params: unknown) =>
  `${JSON.stringify({ jsonrpc: '2.0', method, params })}\n`;
