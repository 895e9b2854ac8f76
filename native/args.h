/* SPDX-License-Identifier: MIT */
/* Arguments and results. Each arg_* returns false with a TypeError pending that names the argument. */
#ifndef LVSD_ARGS_H
#define LVSD_ARGS_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *data;
	size_t length;
};

/*
 * Reads `this` (into `self`, which may be NULL) and the arguments of a method. Returns the native state that the constructor of
 * the class with this tag has wrapped; NULL, with a TypeError pending, for any other object.
 */
void *arg_this(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv, napi_value *self,
	       const napi_type_tag *tag, const char *message);
/* A 32-bit integer, signed or unsigned; unsigned ones become the int with the same bits. */
bool arg_int(napi_env env, napi_value value, const char *name, int *out);
/* A Uint8Array. The bytes belong to JavaScript and are valid during the call. */
bool arg_bytes(napi_env env, napi_value value, const char *name, struct bytes *out);
/* NULL and 0 for undefined and null. */
bool arg_bytes_or_nothing(napi_env env, napi_value value, const char *name, struct bytes *out);
/* An Int32Array. */
bool arg_words(napi_env env, napi_value value, const char *name, int32_t **out, size_t *length);
/* A non-empty string without NUL of fewer than `size` bytes of UTF-8, copied to `out`. */
bool arg_path(napi_env env, napi_value value, const char *name, char *out, size_t size);

/* undefined or null; leaves no exception. */
bool arg_missing(napi_env env, napi_value value);

napi_value make_int(napi_env env, int64_t value);

#endif
