// SPDX-License-Identifier: MIT
/** Parses and formats lines of JSON-RPC 2.0; independent of sockets and methods. */
import { INVALID_REQUEST, PARSE_ERROR } from './messages.ts';

export type Id = string | number | null;

export interface Request {
  /** Undefined for a notification, which is not answered. */
  id: Id | undefined;
  method: string;
  params: unknown;
}

export interface RpcError {
  code: number;
  message: string;
  /** `code` of the LvsdError, such as 'ERR_LVSD_USAGE'. */
  data?: { code: string };
}

export interface Failure {
  id: Id;
  error: RpcError;
}

export const INTERNAL_ERROR = -32603;

/** Parses a line; returns the request, or the failure to answer with. */
export function readRequest(line: string): Request | Failure {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { id: null, error: { code: PARSE_ERROR, message: 'the line is not valid JSON' } };
  }
  const invalid = (message: string, id: Id = null) => ({ id, error: { code: INVALID_REQUEST, message } });
  if (Array.isArray(value)) return invalid('batches are not supported: send each request on a separate line');
  if (typeof value !== 'object' || value === null) return invalid('the request must be an object');
  const request = value as Record<string, unknown>;
  const { id, jsonrpc, method, params } = request;
  // 1e400 is Infinity, which an answer could not repeat.
  if (id !== undefined && id !== null && typeof id !== 'string' && !Number.isFinite(id))
    return invalid('id must be a string, a finite number or null');
  if (jsonrpc !== '2.0') return invalid('jsonrpc must be "2.0"', (id as Id | undefined) ?? null);
  if (typeof method !== 'string') return invalid('method must be a string', (id as Id | undefined) ?? null);
  return { id: id as Id | undefined, method, params };
}

/** The line of a successful response. */
export const resultLine = (id: Id, result: unknown) => `${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`;

/** The line of an error response. */
export const failureLine = ({ id, error }: Failure) => `${JSON.stringify({ jsonrpc: '2.0', id, error })}\n`;

/** The line of a request. */
export const requestLine = (id: Id, method: string, params: unknown) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;

/** The line of a notification, which has no response. */
export const notificationLine = (method: string, params: unknown) =>
  `${JSON.stringify({ jsonrpc: '2.0', method, params })}\n`;
