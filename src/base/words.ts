// SPDX-License-Identifier: MIT

/** '1 service', '2 services' */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
