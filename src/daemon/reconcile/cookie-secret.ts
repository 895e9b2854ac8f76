// SPDX-License-Identifier: MIT
/**
 * The secret of SYN cookies, from the file that the configuration names. The kernel ignores a secret that it uses
 * already, so each start and reload sets it.
 */
import { steady } from '../../base/clock.ts';
import { errorLine } from '../../base/error-line.ts';
import { readSecretFile } from '../../base/secret-file.ts';
import type { Config } from '../../config/types.ts';
import type { Ipvs } from '../../ipvs/index.ts';
import type { Reporter } from '../control/reporter.ts';
import type { SettingFailure } from './sysctls.ts';

export class CookieSecret {
  readonly #ipvs: Pick<Ipvs, 'info' | 'setCookieSecret'>;
  readonly #reporter: Pick<Reporter, 'log'>;
  #failure: SettingFailure | undefined;

  constructor(ipvs: Pick<Ipvs, 'info' | 'setCookieSecret'>, reporter: Pick<Reporter, 'log'>) {
    this.#ipvs = ipvs;
    this.#reporter = reporter;
  }

  /** Empty, or the reason why the secret of the configuration is not in use. */
  get failures(): SettingFailure[] {
    return this.#failure ? [this.#failure] : [];
  }

  /** Sets the secret of a configuration, if it has one. Errors are logged. */
  async follow({ synProxySecret: path }: Pick<Config, 'synProxySecret'>): Promise<void> {
    if (path === undefined) this.#failure = undefined;
    if (path === undefined) return;
    try {
      await this.use(path);
    } catch (error) {
      const since = this.#failure?.since ?? steady();
      this.#failure = { text: 'secret of SYN cookies', reason: errorLine(error), since };
      this.#reporter.log('kernel', 'error', `cannot set the secret of SYN cookies: ${errorLine(error)}`);
    }
  }

  /** Uses the secret of a file; cookies of the previous one are valid for two minutes. Throws LvsdError. */
  async use(path: string): Promise<void> {
    const [before] = await this.fingerprints();
    await this.#ipvs.setCookieSecret(readSecretFile(path));
    this.#failure = undefined;
    const [now] = await this.fingerprints();
    if (now !== before) this.#reporter.log('kernel', 'info', `secret of SYN cookies set, fingerprint ${now}`);
  }

  /** Accepts cookies of the secret of a file, besides those of the one in use. Throws LvsdError. */
  async stage(path: string): Promise<void> {
    await this.#ipvs.setCookieSecret(readSecretFile(path), { stage: true });
  }

  /** Of the key in use and, if there is one, of the staged key. */
  async fingerprints(): Promise<string[]> {
    const { cookieKeys = [] } = await this.#ipvs.info();
    return cookieKeys.map((key) => key.toString(16).padStart(8, '0'));
  }
}
