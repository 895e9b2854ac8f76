// SPDX-License-Identifier: MIT
/* class Socket: its constructor and its methods. */
#include "socket-class.h"
#include "socket-methods.h"
#include "socket.h"

napi_value define_socket(napi_env env, napi_value exports)
{
#define METHOD(name, function) { name, NULL, function, NULL, NULL, NULL, napi_default_method, NULL }
	napi_property_descriptor members[] = {
		{ "fd", NULL, NULL, socket_fd, NULL, NULL, napi_default, NULL },
		METHOD("bind", socket_bind),
		METHOD("connect", socket_connect),
		METHOD("tryConnect", socket_try_connect),
		METHOD("listen", socket_listen),
		METHOD("accept", socket_accept),
		METHOD("getsockname", socket_getsockname),
		METHOD("setsockopt", socket_setsockopt),
		METHOD("getsockopt", socket_getsockopt),
		METHOD("attachFilter", socket_attach_filter),
		METHOD("send", socket_send),
		METHOD("sendBatch", socket_send_batch),
		METHOD("receive", socket_receive),
		METHOD("watch", socket_watch),
		METHOD("unwatch", socket_unwatch),
		METHOD("ref", socket_ref),
		METHOD("unref", socket_unref),
		METHOD("takeFd", socket_take_fd),
		METHOD("close", socket_close),
	};
#undef METHOD
	napi_value class;

	if (napi_define_class(env, "Socket", NAPI_AUTO_LENGTH, socket_construct, NULL,
			      sizeof(members) / sizeof(members[0]), members, &class) != napi_ok ||
	    napi_set_named_property(env, exports, "Socket", class) != napi_ok)
		return NULL;
	return class;
}
