// SPDX-License-Identifier: MIT
/* lvsd.node: what Node's own library cannot do, and nothing above it. */
#include "lvsd.h"

static void define_function(napi_env env, napi_value exports, const char *name, napi_callback call)
{
	napi_value function;

	if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, NULL, &function) == napi_ok)
		napi_set_named_property(env, exports, name, function);
}

NAPI_MODULE_INIT()
{
	if (!define_socket(env, exports) || !define_connector(env, exports))
		return NULL;
	define_function(env, exports, "enterNetns", enter_netns);
	define_function(env, exports, "peerCredentials", peer_credentials);
	define_function(env, exports, "lockFile", lock_file);
	define_function(env, exports, "mapFile", map_file);
	return exports;
}
