// SPDX-License-Identifier: MIT
// The page in Debian's Chromium, from a real `lvsd web` in front of a control server with 0 to 10,000 services: what it
// shows, live changes, keys, links, a lost connection, hostile texts, axe-core in both schemes. Pictures: build/page/.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { READ_ONLY } from '../../../src/control/methods.ts';
import { chromium } from '../../support/chromium.ts';
import { fakeDaemon } from '../control/daemon.ts';
import { fleet, made, type Service } from './fleet.ts';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const program = join(top, 'dist/bin/lvsd.cjs');
const pictures = join(top, 'build/page');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const MANY = process.env.LVSD_COUNTS === 'full' ? 40_000 : 10_000;
const WAIT = 60_000;

let browser: Browser;

/** A control server with services, and `lvsd web` in front of it. */
class Site {
  readonly services: Service[];
  readonly daemon: ReturnType<typeof fakeDaemon>;
  port = 0;
  #web: ChildProcess | undefined;

  private constructor(services: Service[]) {
    this.services = services;
    this.daemon = fakeDaemon(fleet(services), { methods: READ_ONLY });
  }

  static async start(services: Service[]): Promise<Site> {
    const site = new Site(services);
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    ({ port: site.port } = probe.address() as AddressInfo);
    probe.close();
    await site.startWeb();
    return site;
  }

  async startWeb(): Promise<void> {
    const words = [program, 'web', '--listen', `127.0.0.1:${this.port}`, '--socket', this.daemon.path];
    const web = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#web = web;
    let err = '';
    await new Promise<void>((resolve, reject) => {
      web.stderr.on('data', (chunk) => {
        err += String(chunk);
        if (err.includes('listening')) resolve();
      });
      web.on('exit', () => reject(new Error(err)));
    });
  }

  /** Bytes. */
  webMemory(): number {
    const status = readFileSync(`/proc/${this.#web?.pid}/status`, 'latin1');
    return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  }

  async stopWeb(): Promise<void> {
    const web = this.#web;
    this.#web = undefined;
    if (!web?.kill('SIGKILL')) return;
    await once(web, 'exit');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopWeb();
    this.daemon.server.close();
  }
}

/** A page, and what it must not have done: errors, reports of the policy, requests to others. */
class View {
  readonly page: Page;
  readonly faults: string[] = [];

  private constructor(page: Page, port: number) {
    this.page = page;
    page.on('pageerror', (error) => this.faults.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.faults.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(`http://127.0.0.1:${port}/`) && !request.url().startsWith('data:'))
        this.faults.push(request.url());
    });
  }

  static async open(site: Site, path = '/', options: BrowserContextOptions = {}): Promise<View> {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    const view = new View(await context.newPage(), site.port);
    await view.page.goto(`http://127.0.0.1:${site.port}${path}`);
    await view.page.locator('.services').waitFor({ timeout: WAIT });
    return view;
  }

  /** Until the page has it: `waitForFunction` does not work under its policy. */
  async until<T>(what: string, has: () => T | undefined | false | null): Promise<T>;
  async until<T, A>(what: string, has: (given: A) => T | undefined | false | null, given: A): Promise<T>;
  async until<T, A>(what: string, has: (given: A) => T | undefined | false | null, given?: A): Promise<T> {
    for (const end = Date.now() + WAIT; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const found = await this.page.evaluate(has as (given: unknown) => unknown, given);
      if (found !== undefined && found !== null && found !== false) return found as T;
      if (Date.now() >= end) {
        await this.page.screenshot({ path: join(pictures, 'failed.png') });
        assert.fail(`${what}: not within ${WAIT / 1000} s; ${pictures}/failed.png`);
      }
    }
  }

  names(): Promise<string[]> {
    return this.page.locator('.services .row a').allTextContents();
  }

  async violations(): Promise<string[]> {
    await this.page.evaluate(axe);
    return await this.page.evaluate(async () => {
      const { violations } = await (
        globalThis as unknown as {
          axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> };
        }
      ).axe.run();
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
      );
    });
  }

  async picture(name: string): Promise<void> {
    await this.page.screenshot({ path: join(pictures, `${name}.png`) });
  }

  async close(): Promise<void> {
    assert.deepEqual(this.faults, []);
    await this.page.context().close();
  }
}

const timeout = 240_000;

// Three at a time: most of it waits for the next answer.
describe('the page', { concurrency: 3, timeout: 2 * timeout }, () => {
  before(async () => {
    mkdirSync(pictures, { recursive: true });
    browser = await chromium();
  });
  after(async () => {
    await browser?.close();
  });

  test('no service, and one', { timeout }, async () => {
    const services: Service[] = [];
    await using site = await Site.start(services);
    const view = await View.open(site);
    assert.match(await view.page.locator('.nothing').innerText(), /^There are no services in the file\.$/);
    assert.deepEqual(await view.violations(), []);
    await view.picture('none');
    services.push(...made(1));
    await view.until('the first service', () => document.querySelectorAll('.services .row').length === 1);
    assert.match(await view.page.locator('.services .row').innerText(), /shop.*tcp 10\.99\.0\.0:443.*degraded.*3\/4/s);
    await view.close();
  });

  test('200 services: worst first, what is wrong without a click, and a service with its charts', {
    timeout,
  }, async () => {
    await using site = await Site.start(made(200));
    site.daemon.events.add('service.quorum_lost', 'error', 'pay has lost its quorum: weight 0, below 1', {
      service: 'pay',
    });
    const view = await View.open(site);
    const states = await view.page.locator('.services .row .state').allTextContents();
    assert.deepEqual(
      states.slice(0, 7).map((text) => text.replace(/^\S+ /, '')),
      ['refused', 'down', 'sorry', 'degraded', 'degraded', 'degraded', 'up'],
    );
    assert.match(await view.page.locator('.tiles').innerText(), /6 of 200 services not up/);
    assert.match(await view.page.locator('.tiles').innerText(), /12 of 800 real servers down/);
    // Events come by a connection of their own.
    await view.until('events', () => document.querySelector('aside .events')?.textContent?.includes('lost its quorum'));
    const aside = await view.page.locator('aside').innerText();
    for (const text of [
      /edge master priority 150/,
      /inside backup priority 90 \(110, service shop -20\)/,
      /no carrier/,
    ])
      assert.match(aside, text);
    assert.match(aside, /small\s+95 %/);
    assert.match(aside, /tcp 10\.99\.0\.11:443: there is no device eth7/);
    assert.match(aside, /pay has lost its quorum/);
    await view.until('curves', () => document.querySelectorAll('.services .curve polyline').length > 10);
    await view.picture('light');

    await view.page.getByRole('link', { name: 'search', exact: true }).click();
    await view.until('the charts', () => document.querySelectorAll('.detail canvas').length === 2);
    const detail = view.page.locator('.detail');
    await view.until('rates', () =>
      /now [\d.]+k?/.test(document.querySelector('.detail figcaption')?.textContent ?? ''),
    );
    assert.match(await detail.innerText(), /web12\s+10\.31\.3\.2:8443\s+▼ down.*status 503, wanted 200-299/s);
    assert.match(await detail.innerText(), /10\.31\.3\.105/);
    assert.equal(await view.page.evaluate(() => location.search), '?open=search&at=tcp+10.99.0.3%3A443');
    // All of it is in the window, without a click more.
    const box = await detail.boundingBox();
    assert.ok(box && box.y + 250 < 900, JSON.stringify(box));
    await view.picture('open');
    assert.deepEqual(await view.violations(), [], 'light, open');
    await view.page.emulateMedia({ colorScheme: 'dark' });
    await view.picture('open-dark');
    assert.deepEqual(await view.violations(), [], 'dark, open');
    await view.page.goBack();
    await view.until('the list alone', () => !document.querySelector('.detail'));
    await view.close();

    const phone = await View.open(site, '/?open=shop', { viewport: { width: 412, height: 900 }, hasTouch: true });
    await phone.until('the charts', () => document.querySelectorAll('.detail canvas').length === 2);
    assert.equal(await phone.page.evaluate(() => document.documentElement.scrollWidth), 412);
    assert.deepEqual(await phone.violations(), [], 'phone');
    await phone.picture('phone-open');
    await phone.close();
    const list = await View.open(site, '/', { viewport: { width: 412, height: 900 }, colorScheme: 'dark' });
    const first = await list.page.locator('.services .row').first().boundingBox();
    assert.ok(first && first.y < 450, JSON.stringify(first));
    await list.picture('phone');
    await list.close();
  });

  test('a change is shown without a click, and an event with it', { timeout }, async () => {
    await using site = await Site.start(made(30));
    const view = await View.open(site, '/?sort=name');
    Object.assign(site.services[1]?.servers[0] ?? {}, { state: 'down', reason: 'reset by peer' });
    site.daemon.events.add('real_server.down', 'warning', 'real server web4 of api is down: reset by peer', {
      service: 'api',
    });
    await view.until('the event', () => document.querySelector('aside .events')?.textContent?.includes('web4 of api'));
    const found = await view.until('the change', () => {
      const row = [...document.querySelectorAll('.services .row')].find((one) => one.textContent?.startsWith('api'));
      return row?.textContent?.includes('3/4') && row.textContent;
    });
    assert.match(found, /degraded.*web4: reset by peer/);
    await view.until('the title', () => document.title === '(7) lvsd lb1');
    await view.close();
  });

  test('order, search and links', { timeout }, async () => {
    await using site = await Site.start(made(200));
    const view = await View.open(site);
    const rates = () => view.page.locator('.services .row td:nth-child(5)').allTextContents();
    const numbers = (texts: string[]) => texts.map((text) => Number.parseFloat(text) * (text.endsWith('k') ? 1000 : 1));
    const heading = view.page.getByRole('columnheader', { name: 'Conn/s' });
    await view.until('rates', () =>
      /\d/.test(document.querySelector('.services .row td:nth-child(5)')?.textContent ?? ''),
    );
    await heading.getByRole('button').click();
    await view.until('the order', () => document.querySelector('.services .row .state')?.textContent?.includes('up'));
    assert.equal(await heading.getAttribute('aria-sort'), 'descending');
    const most = numbers(await rates());
    assert.deepEqual(
      most,
      [...most].sort((a, b) => b - a),
    );
    await heading.getByRole('button').click();
    await view.until(
      'the other order',
      () => !document.querySelector('.services .row .state')?.textContent?.includes('up'),
    );
    assert.equal(await heading.getAttribute('aria-sort'), 'ascending');
    assert.equal(await view.page.evaluate(() => location.search), '?sort=conn%2Fs&reverse=1');

    await view.page.getByRole('searchbox').fill('GEO-1');
    await view.until('found services', () => document.querySelectorAll('.services .row').length === 4);
    assert.deepEqual((await view.names()).sort(), ['geo-1', 'geo-10', 'geo-11', 'geo-12']);
    assert.equal(await view.page.getByRole('status').innerText(), '4 of 200 services');
    await view.page.getByRole('searchbox').fill('no such thing');
    await view.until('none', () => document.querySelector('.nothing')?.textContent === 'No service matches.');
    await view.page.getByRole('searchbox').fill('10.99.0.7:443');
    await view.until('one', () => document.querySelectorAll('.services .row').length === 1);
    assert.deepEqual(await view.names(), ['pay']);
    const url = await view.page.evaluate(() => location.search);
    await view.close();

    const link = await View.open(site, `/${url}&open=pay`);
    assert.deepEqual(await link.names(), ['pay']);
    assert.equal(await link.page.locator('.detail h2').first().innerText(), 'pay');
    assert.equal(await link.page.getByRole('searchbox').inputValue(), '10.99.0.7:443');
    await link.close();
    const gone = await View.open(site, '/?open=gone');
    await gone.until('the reason', () =>
      document.querySelector('.detail .nothing')?.textContent?.startsWith('There is no'),
    );
    await gone.close();
  });

  test('by keys alone', { timeout }, async () => {
    await using site = await Site.start(made(200));
    const view = await View.open(site, '/?sort=name');
    const { keyboard } = view.page;
    const focused = () => view.page.evaluate(() => document.activeElement?.textContent ?? '');
    const names = made(200).map(({ name }) => name);
    names.sort();
    await keyboard.press('j');
    assert.equal(await focused(), names[0]);
    await keyboard.press('j');
    await keyboard.press('ArrowDown');
    assert.equal(await focused(), names[2]);
    await keyboard.press('k');
    assert.equal(await focused(), names[1]);
    await keyboard.press('Enter');
    await view.until('the heading', () => document.activeElement?.id === 'detail');
    assert.equal(await focused(), names[1]);
    await keyboard.press('Escape');
    await view.until('the list alone', () => !document.querySelector('.detail'));
    assert.equal(await focused(), names[1]);
    await keyboard.press('Shift+G');
    await view.until('the last', (name) => document.activeElement?.textContent === name, names.at(-1) ?? '');
    await keyboard.press('PageUp');
    await view.until(
      'a page above',
      (name) => {
        const text = document.activeElement?.textContent;
        return text && text !== name && document.activeElement?.matches('a[data-index]');
      },
      names.at(-1) ?? '',
    );
    await keyboard.press('g');
    await view.until('the first', (name) => document.activeElement?.textContent === name, names[0] ?? '');
    await keyboard.press('!');
    await view.until('those that are not up', () => document.querySelectorAll('.services .row').length === 6);
    await keyboard.press('/');
    await keyboard.type('pa/!j');
    assert.equal(await view.page.getByRole('searchbox').inputValue(), 'pa/!j');
    await view.page.getByRole('searchbox').fill('pa');
    await view.until('one', () => document.querySelectorAll('.services .row').length === 1);
    await keyboard.press('Enter');
    assert.equal(await focused(), 'pay');
    await keyboard.press('?');
    await view.until('the keys', () => document.querySelector('.keys'));
    await keyboard.press('Escape');
    await view.until('no keys', () => !document.querySelector('.keys'));
    await keyboard.press('Escape');
    await view.until('no search', () => document.querySelectorAll('.services .row').length === 6);
    // Every part that can be used is reached by Tab, and shows that it has the focus.
    const seen = new Set<string>();
    await view.page.goto(`http://127.0.0.1:${site.port}/?bad=1`);
    await view.page.locator('.services .row').first().waitFor({ timeout: WAIT });
    for (let i = 0; i < 60; i++) {
      await keyboard.press('Tab');
      const { label, outline } = await view.page.evaluate(() => {
        const element = document.activeElement ?? document.body;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        return { label: element.tagName, outline: `${outlineStyle} ${outlineWidth}` };
      });
      if (label === 'BODY') break;
      assert.equal(outline, 'solid 2px', label);
      seen.add(label);
    }
    assert.deepEqual([...seen].sort(), ['A', 'ASIDE', 'BUTTON', 'INPUT']);
    await view.close();
  });

  test('a command is copied as a shell takes it', { timeout }, async () => {
    const services = made(3);
    Object.assign(services[0]?.servers[0] ?? {}, { name: "it's; $(reboot)" });
    await using site = await Site.start(services);
    const view = await View.open(site, '/?open=shop', { permissions: ['clipboard-read', 'clipboard-write'] });
    await view.page.getByRole('button', { name: 'copy drain' }).first().click();
    await view.page.getByRole('button', { name: 'copied' }).waitFor();
    assert.equal(
      await view.page.evaluate(() => navigator.clipboard.readText()),
      "lvsctl drain shop 'it'\\''s; $(reboot)'",
    );
    // As without TLS, where browsers have no such clipboard.
    await view.page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
    const row = view.page.locator('.detail tbody tr', { hasText: 'web2' });
    await row.getByRole('button').click();
    await row.getByRole('button', { name: 'copied' }).waitFor();
    await view.page.getByRole('searchbox').focus();
    await view.page.keyboard.press('Control+V');
    assert.equal(await view.page.getByRole('searchbox').inputValue(), 'lvsctl drain shop web2');
    await view.close();
  });

  test(`${MANY} services: every row can be reached, and few are there at a time`, { timeout }, async (t) => {
    const services = made(MANY);
    await using site = await Site.start(services);
    const names = services.map(({ name, virtual }) => ({ name, key: `${name} ${virtual}` }));
    names.sort((a, b) => (a.key < b.key ? -1 : 1));
    let at = performance.now();
    const lap = (what: string) => {
      t.diagnostic(`${what}: ${Math.round(performance.now() - at)} ms`);
      at = performance.now();
    };
    const view = await View.open(site, '/?sort=name');
    lap('first rows');
    for (const [part, name] of [
      [0.5, names[MANY / 2]?.name],
      [1, names.at(-1)?.name],
      [0.25, names[MANY / 4]?.name],
      [0, names[0]?.name],
    ] as const) {
      await view.page.evaluate((to) => {
        const element = document.querySelector('.scroller');
        if (element) element.scrollTop = to * (element.scrollHeight - (to === 1 ? 0 : 1));
      }, part);
      await view.until(
        `the row at ${part}`,
        (wanted) => {
          const frame = document.querySelector('.scroller')?.getBoundingClientRect();
          return [...document.querySelectorAll('.services .row a')].some((link) => {
            const { top: y = 0 } = link.getBoundingClientRect();
            return link.textContent === wanted && frame && y >= frame.top - 50 && y <= frame.bottom;
          });
        },
        name ?? '',
      );
      lap(`jump to ${part}`);
      assert.ok((await view.page.locator('.services .row').count()) <= 100);
    }
    const index = await view.page.locator('.services .row').first().getAttribute('aria-rowindex');
    assert.deepEqual([index, await view.page.locator('.services').getAttribute('aria-rowcount')], ['2', `${MANY + 1}`]);
    await view.page.getByRole('searchbox').fill('geo-300');
    await view.until('one', () => document.querySelectorAll('.services .row').length === 1);
    lap('search');
    const memory = site.webMemory();
    t.diagnostic(`memory of lvsd web: ${Math.round(memory / 1e6)} MB`);
    assert.ok(memory < 150e6 * (MANY / 10_000), `${memory}`);
    assert.deepEqual(await view.names(), ['geo-300']);
    await view.page.getByRole('searchbox').fill('');
    await view.until('all', () => document.querySelectorAll('.services .row').length > 20);
    await view.picture('many');
    await view.close();
  });

  test('a connection that is lost is told, and what is shown is grey; both end by themselves', {
    timeout,
  }, async () => {
    await using site = await Site.start(made(20));
    const view = await View.open(site);
    const pill = () => document.querySelector('.pill')?.textContent;
    await view.until('live', () => document.querySelector('.pill')?.textContent?.endsWith('live'));
    await site.stopWeb();
    await view.until('the loss', () =>
      document.querySelector('.pill')?.textContent?.includes('connection lost, shown:'),
    );
    assert.match(
      await view.page.getByRole('alert').first().innerText(),
      /No connection to lvsd web: nothing below is current/,
    );
    await view.until('grey', () => document.querySelector('.page.old'));
    assert.equal((await view.names()).length, 20);
    await view.picture('lost');
    assert.deepEqual(await view.violations(), [], 'lost');
    await site.startWeb();
    await view.until('live again', () => document.querySelector('.pill')?.textContent?.endsWith('live'));
    await view.until('colours', () => !document.querySelector('.page.old'));
    assert.equal(await view.page.locator('.alerts').textContent(), '');

    site.daemon.server.close();
    const text = await view.until(
      'the reason',
      () =>
        document.querySelector('.pill')?.textContent?.includes('lvsd does not answer') &&
        document.querySelector('.alerts')?.textContent,
    );
    assert.match(text, /lvsd does not answer, and nothing below is current: (no daemon|lvsd closed)/);
    assert.equal((await view.names()).length, 20);
    const again = fakeDaemon(fleet(site.services), { path: site.daemon.path, methods: READ_ONLY });
    await view.until('live again', () => document.querySelector('.pill')?.textContent?.endsWith('live'));
    assert.match((await view.page.evaluate(pill)) ?? '', /live$/);
    again.server.close();
    // Failed requests are the browser's own messages.
    assert.deepEqual(
      view.faults.filter((one) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|net::/.test(one)),
      [],
    );
    view.faults.length = 0;
    await view.close();
  });

  test('texts of others are texts: no element, no direction, no length of theirs', { timeout }, async () => {
    const services = made(20);
    const image = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
    const turned = 'abc\u202Egnp.exe\u2066\u200B\x1b[2J';
    const [first] = services;
    assert.ok(first);
    Object.assign(first.servers[0] ?? {}, { name: image, state: 'down', reason: image });
    Object.assign(first.servers[1] ?? {}, { name: turned, state: 'down', reason: turned });
    Object.assign(first.servers[2] ?? {}, { state: 'down', reason: 'x'.repeat(10_000) });
    Object.assign(first.servers[3] ?? {}, {
      name: `${'y'.repeat(3000)} z`,
      state: 'down',
      reason: '文字 '.repeat(3000),
    });
    first.error = `${image}: ${'w'.repeat(9000)}`;
    await using site = await Site.start(services);
    site.daemon.events.add('real_server.down', 'warning', `${image} ${turned} ${'v'.repeat(9000)}`, {
      service: 'shop',
    });
    const view = await View.open(site, '/?open=shop');
    await view.until('the real servers', () => document.querySelectorAll('.detail tbody tr').length >= 4);
    assert.equal(await view.page.evaluate(() => (globalThis as { hacked?: number }).hacked), undefined);
    assert.equal(await view.page.evaluate(() => document.querySelectorAll('img, .page script').length), 0);
    const text = await view.page.locator('.page').innerText();
    assert.ok(text.includes(image));
    assert.ok(text.includes('abc\\u202egnp.exe\\u2066\\u200b\\x1b[2J'));
    assert.doesNotMatch(text, /[\u202a-\u202e\u2066-\u2069\u200b]/);
    // Nothing is wider than the window, and the rows keep their height.
    assert.equal(await view.page.evaluate(() => document.documentElement.scrollWidth), 1440);
    const heights = await view.page.evaluate(() =>
      [...document.querySelectorAll('.services .row')].map((row) => row.getBoundingClientRect().height),
    );
    assert.deepEqual(new Set(heights), new Set([42]));
    assert.deepEqual(await view.violations(), []);
    await view.picture('hostile');
    await view.close();
  });
});
