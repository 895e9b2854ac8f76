// SPDX-License-Identifier: MIT
/** The process that runs VRRP. */
import { serveVrrp } from '../vrrp/serve.ts';

serveVrrp();
