/* SPDX-License-Identifier: GPL-2.0-only */
#include <strings.h> /* ffs() */
