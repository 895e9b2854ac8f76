// SPDX-License-Identifier: MIT
/* Conversion of arguments. Nothing that JavaScript passes can cause more than a TypeError. */
#include "args.h"
#include "error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool wrong_type(napi_env env, const char *name, const char *wanted)
{
	char message[128];

	snprintf(message, sizeof(message), "%s must be %s", name, wanted);
	throw_type(env, message);
	return false;
}

bool arg_missing(napi_env env, napi_value value)
{
	napi_valuetype type;

	return !value || napi_typeof(env, value, &type) != napi_ok || type == napi_undefined || type == napi_null;
}

void *arg_this(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv, napi_value *self,
	       const napi_type_tag *tag, const char *message)
{
	napi_value object;
	bool ours = false;
	void *data;

	if (napi_get_cb_info(env, info, argc, argv, &object, NULL) != napi_ok ||
	    napi_check_object_type_tag(env, object, tag, &ours) != napi_ok || !ours ||
	    napi_unwrap(env, object, &data) != napi_ok) {
		throw_type(env, message);
		return NULL;
	}
	if (self)
		*self = object;
	return data;
}

bool arg_int(napi_env env, napi_value value, const char *name, int *out)
{
	double number;

	/* Unsigned values are accepted too, because masks are usually written that way. */
	if (!value || napi_get_value_double(env, value, &number) != napi_ok || !isfinite(number) ||
	    number != trunc(number) || number < INT32_MIN || number > UINT32_MAX)
		return wrong_type(env, name, "a 32-bit integer");
	*out = (int)(uint32_t)(int64_t)number;
	return true;
}

bool arg_bytes(napi_env env, napi_value value, const char *name, struct bytes *out)
{
	bool typed = false;
	napi_typedarray_type type;
	void *data;

	if (!value || napi_is_typedarray(env, value, &typed) != napi_ok || !typed ||
	    napi_get_typedarray_info(env, value, &type, &out->length, &data, NULL, NULL) != napi_ok ||
	    type != napi_uint8_array)
		return wrong_type(env, name, "a Uint8Array");
	out->data = data;
	return true;
}

bool arg_bytes_or_nothing(napi_env env, napi_value value, const char *name, struct bytes *out)
{
	out->data = NULL;
	out->length = 0;
	return arg_missing(env, value) || arg_bytes(env, value, name, out);
}

bool arg_words(napi_env env, napi_value value, const char *name, int32_t **out, size_t *length)
{
	bool typed = false;
	napi_typedarray_type type;
	void *data;

	if (!value || napi_is_typedarray(env, value, &typed) != napi_ok || !typed ||
	    napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok ||
	    type != napi_int32_array)
		return wrong_type(env, name, "an Int32Array");
	*out = data;
	return true;
}

bool arg_path(napi_env env, napi_value value, const char *name, char *out, size_t size)
{
	size_t length, copied;

	if (!value || napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
		return wrong_type(env, name, "a string");
	if (length == 0 || length >= size)
		return wrong_type(env, name, "a path of a length that the system allows");
	if (napi_get_value_string_utf8(env, value, out, size, &copied) != napi_ok || strlen(out) != length)
		return wrong_type(env, name, "a path without NUL bytes");
	return true;
}

napi_value make_int(napi_env env, int64_t value)
{
	napi_value result = NULL;

	napi_create_int64(env, value, &result);
	return result;
}
