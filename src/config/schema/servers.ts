// SPDX-License-Identifier: MIT
/** Schemas of real servers, their checks, and forwarding methods. */
import { type Static, Type } from '@sinclair/typebox';
import { address, choice, count, port } from '../../base/schema-words.ts';
import { KINDS } from '../../health/kinds.ts';
import { listOf } from '../describe.ts';
import { DEFAULTS } from '../limits.ts';
import type { CheckType } from '../types.ts';
import { NAME, NAME_WORDS } from './common.ts';

type Kinds = typeof KINDS;
type KindSchemas = { -readonly [T in CheckType]: Awaited<ReturnType<Kinds[T]['schema']>> };
/** The keys of every kind: an intersection, because a check without `type` may have any of them. */
type AllKeys = IntersectionOf<{ [T in CheckType]: Omit<Static<KindSchemas[T]>, 'type'> }[CheckType]>;
type IntersectionOf<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void ? I : never;

const kindSchemas = Object.fromEntries(
  await Promise.all(Object.entries(KINDS).map(async ([type, kind]) => [type, await kind.schema()] as const)),
) as KindSchemas;
const kindNames = Object.keys(kindSchemas) as CheckType[];

const keysOfAllKinds = Object.assign({}, ...Object.values(kindSchemas).map(({ properties }) => properties));
delete keysOfAllKinds.type;

export const checkSchema = Type.Unsafe<'none' | Static<KindSchemas[CheckType]> | AllKeys>(
  Type.Union(
    [
      Type.Literal('none'),
      ...Object.values(kindSchemas),
      Type.Object(keysOfAllKinds, {
        additionalProperties: false,
        title: 'a check without `type`',
        description: 'Keys that override those of the inherited check, which sets the type.',
      }),
    ],
    {
      title: `none, or a map with ${listOf(
        kindNames.map((type, index) => (index === 0 ? `\`type: ${type}\`` : `\`${type}\``)),
        'or',
      )}`,
      description:
        'Check of the real servers; `none`: not checked, always up. Merged over the inherited check if that is of the same type (or http and https), otherwise replaces it: see “Checks”.',
      default: 'none',
      examples: [{ type: 'http', path: '/healthz' }],
      'x-part': 'check',
    },
  ),
);

/** Most checks of one real server, besides `check`. */
const MOST_CHECKS = 15;

export const checksSchema = Type.Array(checkSchema, {
  maxItems: MOST_CHECKS,
  title: 'a list of checks',
  description:
    'More checks of each real server, besides `check`: it is up while all pass. Each inherits from `check`, so that several paths of one server need only `path`.',
  default: [],
  examples: [[{ path: '/login' }, { type: 'tcp', port: 8443 }]],
});

export const forwardSchema = Type.Union(
  [
    choice(['masquerade', 'nat', 'direct', 'tunnel', 'fullnat'], { description: 'The method alone.' }),
    Type.Object(
      {
        method: Type.Literal('tunnel', { description: 'The method that has options.', examples: ['tunnel'] }),
        type: Type.Optional(
          choice(['ipip', 'gue', 'gre'], {
            description: 'Encapsulation of the packets.',
            default: DEFAULTS.tunnelType,
            examples: ['gue'],
          }),
        ),
        port: Type.Optional(
          port({
            description: 'UDP port on the real server; required for `gue`, invalid otherwise.',
            examples: [5555],
          }),
        ),
        checksum: Type.Optional(
          choice(['none', 'checksum', 'remote'], {
            description: 'Checksum of the outer header: `gre` supports `checksum`, `gue` also `remote`.',
            default: DEFAULTS.tunnelChecksum,
            examples: ['checksum'],
          }),
        ),
      },
      { additionalProperties: false, description: 'A tunnel with its options.' },
    ),
    Type.Object(
      {
        method: choice(['masquerade', 'nat', 'direct', 'fullnat'], {
          description: 'A method without options.',
          examples: ['direct'],
        }),
      },
      { additionalProperties: false, description: 'The same, as a map.' },
    ),
  ],
  {
    title: 'masquerade (or nat), direct, tunnel, fullnat, or a map with `method`',
    description:
      'How packets reach the real server. `masquerade` (or `nat`): the destination address is rewritten, replies pass through the balancer. `direct`: sent to its MAC address, it replies directly to the client. `tunnel`: encapsulated. `fullnat`: both addresses are rewritten, so that it may be in any network; needs `local_addresses` and lvsd’s kernel modules.',
    default: DEFAULTS.forward,
    examples: ['fullnat', { method: 'tunnel', type: 'gue', port: 5555 }],
    'x-part': 'forward',
  },
);

const ENDPOINT_WORDS = 'ADDRESS, ADDRESS:PORT or "[IPV6]:PORT"';

const endpointText = Type.String({ title: ENDPOINT_WORDS, examples: ['10.31.4.3:8443'] });

const thresholdsSchema = Type.Object(
  {
    upper: Type.Optional(
      count(0, 0xffffffff, {
        description: 'Number of connections at which it gets no more new ones; 0: no limit.',
        default: 0,
        examples: [1000],
      }),
    ),
    lower: Type.Optional(
      count(0, 0xffffffff, {
        description: 'Number of connections below which it gets new ones again; 0: three quarters of `upper`.',
        default: 0,
        examples: [800],
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Limits on the number of its connections, active and inactive.',
    examples: [{ upper: 1000, lower: 800 }],
  },
);

export const weightSchema = count(0, 65535, {
  description: 'Share of new connections, for schedulers that use weights; 0: no new connections.',
  default: DEFAULTS.weight,
  examples: [2],
});

export const realServerSchema = Type.Union(
  [
    endpointText,
    Type.Object(
      {
        address: address({ description: 'Its address.', examples: ['10.31.4.2', '2001:db8:4::2'] }),
        port: Type.Optional(
          port({
            description: 'Its port, if not the service’s; only with `masquerade` and `fullnat`.',
            examples: [8443],
          }),
        ),
        weight: Type.Optional(weightSchema),
        name: Type.Optional(
          Type.String({
            title: NAME_WORDS,
            pattern: NAME,
            description: 'Name in lvsctl and logs. Default: as written, ADDRESS or ADDRESS:PORT.',
            examples: ['web1'],
          }),
        ),
        forward: Type.Optional(forwardSchema),
        thresholds: Type.Optional(thresholdsSchema),
        check: Type.Optional(checkSchema),
        checks: Type.Optional(checksSchema),
      },
      { additionalProperties: false, description: 'A real server with its own settings.' },
    ),
  ],
  { title: `${ENDPOINT_WORDS}, or a map with \`address\``, 'x-part': 'realServer' },
);

export const sorrySchema = Type.Union(
  [
    endpointText,
    Type.Object(
      {
        address: address({ description: 'Its address.', examples: ['10.31.9.9'] }),
        port: Type.Optional(port({ description: 'Its port, if not the service’s.', examples: [8443] })),
        forward: Type.Optional(forwardSchema),
      },
      { additionalProperties: false },
    ),
  ],
  {
    title: `${ENDPOINT_WORDS}, or a map with \`address\``,
    description: 'Sorry server: gets all connections while the quorum is lost. Not checked.',
    examples: ['10.31.9.9:8443'],
    'x-part': 'sorryServer',
  },
);
