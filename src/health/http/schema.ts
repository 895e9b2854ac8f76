// SPDX-License-Identifier: MIT
import { Type } from '@sinclair/typebox';
import { choice } from '../../base/schema-words.ts';
import { type CommonCheck, commonCheckKeys } from '../common/schema.ts';

/** One request on a new connection. */
export interface HttpCheck extends CommonCheck {
  type: 'http' | 'https';
  method: string;
  path: string;
  /** Host header; undefined: the probed address, with its port if that is not the default. */
  host: string | undefined;
  headers: readonly (readonly [name: string, value: string])[];
  /** Accepted status codes, as ranges, both ends included. */
  status: readonly (readonly [from: number, to: number])[];
  /** Requirement for the first 256 KiB of the body. */
  body: { contains: string } | { matches: string } | undefined;
  /** https only. */
  tls: TlsCheck | undefined;
}

export interface TlsCheck {
  /** Server name (SNI); undefined: `host` without port if that is a name, else none. */
  serverName: string | undefined;
  /** False only for `verify: false`. */
  verify: boolean;
  /** PEM file with the trusted authorities; undefined: the system's. */
  ca: string | undefined;
}

const HEADER_TEXT = '^[\\t -~\\u0080-\\u00ff]*$';
const HOST_WORDS = 'a host name or address, with or without :port';

const statusCode = Type.Union([
  Type.Integer({ minimum: 100, maximum: 599, title: 'a status code (100 to 599)' }),
  Type.String({ pattern: '^[1-5][0-9]{2}-[1-5][0-9]{2}$', title: 'a range such as 200-299' }),
]);

/** Keys of http and https checks. */
export const httpCheckKeys = {
  ...commonCheckKeys,
  method: choice(['GET', 'HEAD', 'OPTIONS', 'POST'], {
    description: 'Request method. POST is sent with an empty body.',
    default: 'GET',
    examples: ['HEAD'],
  }),
  path: Type.String({
    title: 'a path that starts with / and has no blanks',
    pattern: '^/[!-~]*$',
    maxLength: 2000,
    description: 'Path to request, including the query.',
    default: '/',
    examples: ['/healthz?full=1'],
  }),
  host: Type.String({
    title: HOST_WORDS,
    pattern: '^[A-Za-z0-9._:\\[\\]-]+$',
    maxLength: 262,
    description:
      'Host header, and with https the server name. Without this key: the address that is probed, with its port unless that is the default of the protocol.',
    examples: ['shop.example'],
  }),
  headers: Type.Record(
    Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$" }),
    Type.String({
      title: 'one line of text',
      pattern: HEADER_TEXT,
      maxLength: 4000,
      examples: ['Bearer x'],
    }),
    {
      additionalProperties: false,
      maxProperties: 50,
      'x-name': 'the name of a header',
      description: 'Additional headers of the request. Quote values that look like numbers.',
      default: {},
      examples: [{ 'X-Probe': 'lvsd' }],
    },
  ),
  status: Type.Union(
    [statusCode, Type.Array(statusCode, { minItems: 1, maxItems: 100, title: 'a list of status codes and ranges' })],
    {
      title: 'a status code (100 to 599), a range such as 200-299, or a list of them',
      description: 'Accepted status codes: one, a range, or a list of both.',
      default: ['200-299'],
      examples: [[200, 204, '300-399']],
    },
  ),
  body: Type.Union(
    [
      Type.Object(
        {
          contains: Type.String({
            minLength: 1,
            maxLength: 4000,
            description: 'Text that the body must contain.',
            examples: ['"status":"ok"'],
          }),
        },
        { additionalProperties: false },
      ),
      Type.Object(
        {
          matches: Type.String({
            minLength: 1,
            maxLength: 1000,
            description: 'Regular expression that the body must match (JavaScript’s, without flags).',
            examples: ['^ok\\s'],
          }),
        },
        { additionalProperties: false },
      ),
    ],
    {
      title: 'a map with `contains: TEXT` or with `matches: REGEX`',
      description: 'Condition on the first 256 KiB of the body. Default: the body is ignored.',
      examples: [{ contains: 'ready' }],
    },
  ),
};

/** The additional key of https. */
export const tlsKeys = {
  tls: Type.Object(
    {
      server_name: Type.Optional(
        Type.String({
          title: 'a host name',
          pattern: '^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$',
          maxLength: 253,
          description: 'Server name (SNI), for which the certificate must be valid. Default: `host`.',
          examples: ['shop.example'],
        }),
      ),
      verify: Type.Optional(
        Type.Boolean({
          description: '`false` accepts any certificate, even if expired or issued for another name.',
          default: true,
          examples: [false],
        }),
      ),
      ca: Type.Optional(
        Type.String({
          title: 'an absolute path of a PEM file',
          pattern: '^/',
          description: 'File of trusted CA certificates, instead of the system’s.',
          examples: ['/etc/lvsd/ca.pem'],
        }),
      ),
    },
    {
      additionalProperties: false,
      description: 'Verification of the server’s certificate.',
      examples: [{ verify: false }],
    },
  ),
};

const optional = Type.Partial(Type.Object(httpCheckKeys)).properties;

export const httpCheckSchema = Type.Object(
  { type: Type.Literal('http'), ...optional },
  { additionalProperties: false, title: 'an http check', description: 'One HTTP/1.1 request on a new connection.' },
);

export const httpsCheckSchema = Type.Object(
  { type: Type.Literal('https'), ...optional, ...Type.Partial(Type.Object(tlsKeys)).properties },
  { additionalProperties: false, title: 'an https check', description: 'As `http`, over TLS 1.2 or newer.' },
);
