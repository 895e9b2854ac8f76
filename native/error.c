// SPDX-License-Identifier: MIT
/* Throws system errors in Node's own form: code, errno (negative) and syscall. */
#include "error.h"
#include "uv-abi.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool set_string(napi_env env, napi_value object, const char *key, const char *text)
{
	napi_value value;

	return napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok &&
	       napi_set_named_property(env, object, key, value) == napi_ok;
}

napi_value throw_errno(napi_env env, int number, const char *syscall)
{
	char name[64], message[256];
	napi_value text, error, errno_value;

	uv_err_name_r(-number, name, sizeof(name));
	snprintf(message, sizeof(message), "%s %s: %s", syscall, name, strerror(number));
	if (napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text) != napi_ok ||
	    napi_create_error(env, NULL, text, &error) != napi_ok)
		return NULL;
	if (set_string(env, error, "code", name) && set_string(env, error, "syscall", syscall) &&
	    napi_create_int32(env, -number, &errno_value) == napi_ok)
		napi_set_named_property(env, error, "errno", errno_value);
	napi_throw(env, error);
	return NULL;
}

napi_value throw_type(napi_env env, const char *message)
{
	napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
	return NULL;
}
