// SPDX-License-Identifier: MIT
/*
 * lvsd.node: system calls that Node's library does not offer. Policy and protocols are in TypeScript.
 *
 * Layers, each calling only those to its right (test/unit/c-layers.test.ts):
 *   addon -> socket-class -> socket-* -> socket -> netns, pollable -> args -> error
 *         -> connector, descriptors, execute, peer-credentials, file-lock, scheduler
 */
#include "connector.h"
#include "descriptors.h"
#include "execute.h"
#include "file-lock.h"
#include "netns.h"
#include "peer-credentials.h"
#include "scheduler.h"
#include "socket-class.h"

#include <node_api.h>

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
	define_function(env, exports, "setScheduler", set_scheduler);
	define_function(env, exports, "setResourceLimit", set_resource_limit);
	define_function(env, exports, "closeOnExec", close_on_exec);
	define_function(env, exports, "execute", execute);
	return exports;
}
