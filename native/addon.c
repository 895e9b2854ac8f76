// SPDX-License-Identifier: MIT
/* lvsd.node: what Node's own library cannot do, and nothing above it. */
#include "lvsd.h"

NAPI_MODULE_INIT()
{
	napi_value function;

	if (!define_socket(env, exports))
		return NULL;
	if (napi_create_function(env, "enterNetns", NAPI_AUTO_LENGTH, enter_netns, NULL, &function) == napi_ok)
		napi_set_named_property(env, exports, "enterNetns", function);
	return exports;
}
