// SPDX-License-Identifier: MIT
import { errorLine } from '../base/error-line.ts';
import { LvsdError } from '../base/errors.ts';

/** Why a question to the daemon failed, for viewers: unexpected errors are not shown. */
export const problemText = (error: unknown): string =>
  error instanceof LvsdError
    ? errorLine(error)
    : 'lvsd web cannot show the answers of this lvsd: are both of the same version?';

/** The same for the log, which names the unexpected error too. */
export const problemLine = (error: unknown): string =>
  error instanceof LvsdError ? errorLine(error) : `${problemText(error)} (${errorLine(error)})`;
