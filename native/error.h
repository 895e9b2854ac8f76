/* SPDX-License-Identifier: MIT */
/* Exceptions. Both functions leave one pending and return NULL, for `return throw_...`. */
#ifndef LVSD_ERROR_H
#define LVSD_ERROR_H

#include <node_api.h>

/* A system error in Node's form. `number` is positive, as in errno.h. */
napi_value throw_errno(napi_env env, int number, const char *syscall);
/* A TypeError with code ERR_INVALID_ARG_TYPE. */
napi_value throw_type(napi_env env, const char *message);

#endif
