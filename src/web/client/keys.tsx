// SPDX-License-Identifier: MIT

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['/', 'search'],
  ['j, k', 'next and previous service; also the arrows, once one has the focus'],
  ['Page Up, Page Down, g, G', 'a page, the first, the last'],
  ['Enter', 'open the service'],
  ['!', 'only services that are not up'],
  ['Esc', 'close the service, end the search'],
  ['?', 'this list'],
];

export const Keys = () => (
  <dl class="keys">
    {KEYS.map(([keys, what]) => (
      <div key={keys}>
        <dt>
          <kbd>{keys}</kbd>
        </dt>
        <dd>{what}</dd>
      </div>
    ))}
  </dl>
);
