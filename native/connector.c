// SPDX-License-Identifier: MIT
/*
 * class Connector: opens TCP connections in bulk and reports whether each succeeded, or sends a request on each and
 * reports the bytes of the answer. All connections share one epoll descriptor, the only one that the event loop
 * watches, and none of them is a JavaScript object. A connection is closed by a reset, which leaves no TIME_WAIT behind,
 * unless the peer has closed it first.
 */
#define _GNU_SOURCE
#include "connector.h"
#include "args.h"
#include "error.h"
#include "pollable.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Maximum of connections in progress; the limit of descriptors is far lower. */
#define SLOTS_MAX (1 << 20)
/* Results per system call. */
#define EVENTS_MAX 256
/* Numbers that collect() writes for each result: connection, kind, value. */
#define RESULT_WORDS 3
/* Bytes of one connection per call of collect(), so that no peer delays the others. */
#define READ_MAX (64 << 10)
/* The lowest port that the kernel picks as a source, and so the lowest at which a TCP self-connect is possible. */
#define FIRST_UNPRIVILEGED_PORT 1024

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* Kinds of results: src/base/native.ts has the same numbers. */
enum result { RESULT_ENDED, RESULT_DATA };

/* The step that failed: connect() returns -(step << 12 | errno). */
enum step { STEP_SOCKET, STEP_SETUP, STEP_MARK, STEP_BIND, STEP_CONNECT };

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

struct slot {
	union address remote;
	int fd;			/* -1 while unused */
	int next;		/* next in the free or in the ended list; -1 at its end */
	uint8_t *request;	/* NULL: connect only */
	size_t length;		/* of the request */
	size_t sent;
	bool established;
	int negotiated;		/* of the handshake, as connector_negotiated() says */
	int send_error;		/* reported once everything that has arrived is read */
};

struct connector {
	struct pollable epoll;
	struct slot *slots;
	int count;
	int free;	/* head of a list */
	int ended;	/* ended or cancelled; free again at the next collect(), so that numbers stay unambiguous */
};

static const napi_type_tag connector_tag = { 0x6c767364636f6e6eULL, 0x51c07be2d8f9a364ULL };

static void close_slot(struct slot *slot)
{
	close(slot->fd);
	slot->fd = -1;
	free(slot->request);
	slot->request = NULL;
}

static void close_all(napi_env env, struct connector *connector)
{
	int i;

	for (i = 0; i < connector->count; i++) {
		if (connector->slots[i].fd >= 0)
			close_slot(&connector->slots[i]);
	}
	free(connector->slots);
	connector->slots = NULL;
	connector->count = 0;
	connector->free = -1;
	connector->ended = -1;
	pollable_close(env, &connector->epoll);
}

static void finalize(napi_env env, void *data, void *hint)
{
	struct connector *connector = data;

	(void)hint;
	close_all(env, connector);
	free(connector);
}

static struct connector *this_connector(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
					napi_value *self)
{
	return arg_this(env, info, argc, argv, self, &connector_tag, "this is not a Connector");
}

static struct connector *this_open_connector(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv)
{
	struct connector *connector = this_connector(env, info, argc, argv, NULL);

	if (connector && connector->epoll.fd < 0) {
		throw_errno(env, EBADF, "epoll_wait");
		return NULL;
	}
	return connector;
}

/* new Connector() */
static napi_value construct(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	napi_value self, target = NULL;
	struct connector *connector;

	if (napi_get_new_target(env, info, &target) != napi_ok || !target)
		return throw_type(env, "Connector is a class: use new");
	if (napi_get_cb_info(env, info, &argc, NULL, &self, NULL) != napi_ok)
		return NULL;
	connector = calloc(1, sizeof(*connector));
	if (!connector)
		return throw_errno(env, ENOMEM, "epoll_create1");
	connector->free = -1;
	connector->ended = -1;
	pollable_init(&connector->epoll, epoll_create1(EPOLL_CLOEXEC));
	if (connector->epoll.fd < 0) {
		free(connector);
		return throw_errno(env, errno, "epoll_create1");
	}
	if (napi_wrap(env, self, connector, finalize, NULL, NULL) != napi_ok) {
		close_all(env, connector);
		free(connector);
		return throw_type(env, "this object cannot become a Connector");
	}
	napi_type_tag_object(env, self, &connector_tag);
	return self;
}

static bool grow(struct connector *connector)
{
	int count = connector->count ? 2 * connector->count : 64, i;
	struct slot *slots;

	if (count > SLOTS_MAX)
		return false;
	slots = realloc(connector->slots, count * sizeof(*slots));
	if (!slots)
		return false;
	memset(slots + connector->count, 0, (count - connector->count) * sizeof(*slots));
	for (i = count - 1; i >= connector->count; i--) {
		slots[i].fd = -1;
		slots[i].next = connector->free;
		connector->free = i;
	}
	connector->slots = slots;
	connector->count = count;
	return true;
}

/* Sets options, mark and source address. Returns 0, or step << 12 | errno of the step that failed. */
static int prepare(int fd, const struct bytes *bind_to, int mark)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	static const int on = 1;

	/* close() sends a RST and leaves no TIME_WAIT behind. */
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		return STEP_SETUP << 12 | errno;
	if (mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return STEP_MARK << 12 | errno;
	if (!bind_to->data)
		return 0;
	/* Choose the port at connect(): one chosen at bind() would be unavailable for every other destination. */
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)bind_to->data, bind_to->length))
		return STEP_BIND << 12 | errno;
	return 0;
}

/* Starts the connect and takes the slot. Returns 0, or step << 12 | errno of the step that failed. */
static int begin(struct connector *connector, int index, int fd, const struct bytes *remote,
		 const struct bytes *request)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.u32 = index };
	struct slot *slot = &connector->slots[index];
	uint8_t *copy = NULL;

	if (connect(fd, (const struct sockaddr *)remote->data, remote->length) && errno != EINPROGRESS)
		return STEP_CONNECT << 12 | errno;
	if (request->length) {
		copy = malloc(request->length);
		if (!copy)
			return STEP_SOCKET << 12 | ENOMEM;
		memcpy(copy, request->data, request->length);
	}
	if (epoll_ctl(connector->epoll.fd, EPOLL_CTL_ADD, fd, &event)) {
		free(copy);
		return STEP_SETUP << 12 | errno;
	}
	connector->free = slot->next;
	memcpy(&slot->remote, remote->data, remote->length);
	slot->fd = fd;
	slot->request = copy;
	slot->length = request->length;
	slot->sent = 0;
	slot->established = false;
	slot->negotiated = 0;
	slot->send_error = 0;
	return 0;
}

/*
 * connect(address, bind, mark, request?): starts a connection and returns its number, or a negative value for an
 * immediate failure. `address` and `bind` (or null) are a sockaddr_in or sockaddr_in6; mark 0 sets none. `request` is
 * copied.
 */
static napi_value connector_connect(napi_env env, napi_callback_info info)
{
	size_t argc = 4;
	napi_value argv[4];
	struct bytes remote, bind_to, request;
	int mark, fd, index, failed;
	sa_family_t family;
	struct connector *connector = this_open_connector(env, info, &argc, argv);

	if (!connector || !arg_bytes(env, argv[0], "address", &remote) ||
	    !arg_bytes_or_nothing(env, argv[1], "bind", &bind_to) || !arg_int(env, argv[2], "mark", &mark) ||
	    !arg_bytes_or_nothing(env, argv[3], "request", &request))
		return NULL;
	if (remote.length != sizeof(struct sockaddr_in) && remote.length != sizeof(struct sockaddr_in6))
		return throw_type(env, "address must be a sockaddr_in or a sockaddr_in6");
	memcpy(&family, remote.data, sizeof(family));
	if (connector->free < 0 && !grow(connector))
		return make_int(env, -(STEP_SOCKET << 12 | ENOMEM));
	index = connector->free;
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return make_int(env, -(STEP_SOCKET << 12 | errno));
	failed = prepare(fd, &bind_to, mark);
	if (!failed)
		failed = begin(connector, index, fd, &remote, &request);
	if (failed) {
		close(fd);
		return make_int(env, -failed);
	}
	return make_int(env, index);
}

/*
 * TCP self-connect: the destination is a port of this machine without a listener, and the kernel picked the same port
 * as the source.
 */
static bool is_self_connected(const struct slot *slot)
{
	union address local;
	socklen_t length = sizeof(local);
	bool ipv6 = slot->remote.any.sa_family == AF_INET6;
	in_port_t port = ipv6 ? slot->remote.ipv6.sin6_port : slot->remote.ipv4.sin_port;

	if (ntohs(port) < FIRST_UNPRIVILEGED_PORT || getsockname(slot->fd, &local.any, &length))
		return false;
	if (ipv6)
		return local.ipv6.sin6_port == port &&
		       !memcmp(&local.ipv6.sin6_addr, &slot->remote.ipv6.sin6_addr, sizeof(struct in6_addr));
	return local.ipv4.sin_port == port && local.ipv4.sin_addr.s_addr == slot->remote.ipv4.sin_addr.s_addr;
}

/*
 * Returns 0 if the handshake was completed. A later reset is not a failure to connect: the kernel reports a RST in
 * SYN_SENT as ECONNREFUSED, so ECONNRESET and EPIPE mean an established connection (tcp_reset()).
 */
static int connect_error(const struct slot *slot)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &error, &length))
		return errno;
	if (!error && is_self_connected(slot))
		return ECONNREFUSED;
	return error == ECONNRESET || error == EPIPE ? 0 : error;
}

/* TCP options that the peer has agreed to: TCPI_OPT_TIMESTAMPS, _SACK and _WSCALE; bit 3; its window scale; its MSS. */
static int negotiated_options(int fd)
{
	static const int usable = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE;
	/* Timestamps take this much of each segment. */
	static const int timestamps_length = 12;
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);
	unsigned int mss;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) || info.tcpi_state != TCP_ESTABLISHED)
		return 0;
	mss = info.tcpi_snd_mss + (info.tcpi_options & TCPI_OPT_TIMESTAMPS ? timestamps_length : 0);
	return (info.tcpi_options & usable) | 1 << 3 | info.tcpi_snd_wscale << 4 | (int)(mss & 0xffff) << 8;
}

static void release_ended(struct connector *connector)
{
	while (connector->ended >= 0) {
		struct slot *slot = &connector->slots[connector->ended];
		int index = connector->ended;

		connector->ended = slot->next;
		slot->next = connector->free;
		connector->free = index;
	}
}

/* Sends the rest of the request. Returns 0, or the errno of a failed connect. */
static int send_request(struct connector *connector, int index)
{
	struct slot *slot = &connector->slots[index];
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = index };
	ssize_t sent;

	if (!slot->established && is_self_connected(slot))
		return ECONNREFUSED;
	do
		sent = send(slot->fd, slot->request + slot->sent, slot->length - slot->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		if (errno == EAGAIN)
			return 0;
		/* A peer may answer and close without reading the request: its answer counts. */
		if (errno != ECONNRESET && errno != EPIPE)
			return errno;
		slot->send_error = errno;
		slot->sent = slot->length;
	} else {
		slot->sent += sent;
	}
	if (!slot->established)
		slot->negotiated = negotiated_options(slot->fd);
	slot->established = true;
	if (slot->sent < slot->length)
		/* An answer may arrive before a long request is completely sent. */
		event.events |= EPOLLOUT;
	return epoll_ctl(connector->epoll.fd, EPOLL_CTL_MOD, slot->fd, &event) ? errno : 0;
}

/* For a connection that the peer has closed first: the TIME_WAIT is on its side, and a FIN causes no error there. */
static void close_by_fin(const struct slot *slot)
{
	static const struct linger off = { 0 };

	setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

/* Handles one ready connection. Returns whether it wrote a result, of RESULT_WORDS numbers. */
static bool advance(struct connector *connector, int index, uint32_t ready, const struct bytes *room, int32_t *result)
{
	struct slot *slot = &connector->slots[index];
	ssize_t length = -1;
	int error = 0;

	if (!slot->request) {
		error = connect_error(slot);
		if (!error)
			slot->negotiated = negotiated_options(slot->fd);
		goto ended;
	}
	if (slot->sent < slot->length && ready & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
		error = send_request(connector, index);
		if (error)
			goto ended;
	}
	if (!slot->established || !(ready & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return false;
	do
		length = recv(slot->fd, room->data, room->length < READ_MAX ? room->length : READ_MAX, MSG_DONTWAIT);
	while (length < 0 && errno == EINTR);
	if (length < 0 && errno == EAGAIN && !slot->send_error)
		return false;
	result[0] = index;
	if (length > 0) {
		result[1] = RESULT_DATA;
		result[2] = length;
		return true;
	}
	error = length < 0 && errno != EAGAIN ? errno : slot->send_error;
	if (!error)
		close_by_fin(slot);
ended:
	result[0] = index;
	result[1] = RESULT_ENDED;
	result[2] = error;
	close_slot(slot);
	slot->next = connector->ended;
	connector->ended = index;
	return true;
}

/*
 * collect(results, data): writes connection, kind and value of each result and returns how many:
 *
 *	0, errno	the connection has ended and is closed: 0 means connected, or, after a request, closed by the peer
 *	1, length	the next `length` bytes of `data` are part of the answer
 *
 * If that fills `results`, or is 256, or `data` has no room left, there may be more. The numbers of ended connections
 * are reused only after the next call.
 */
static napi_value connector_collect(napi_env env, napi_callback_info info)
{
	size_t argc = 2, words;
	napi_value argv[2];
	int32_t *results;
	struct bytes data;
	struct epoll_event events[EVENTS_MAX];
	int most, ready, count = 0, i;
	struct connector *connector = this_open_connector(env, info, &argc, argv);

	if (!connector || !arg_words(env, argv[0], "results", &results, &words) ||
	    !arg_bytes(env, argv[1], "data", &data))
		return NULL;
	most = words / RESULT_WORDS < EVENTS_MAX ? (int)(words / RESULT_WORDS) : EVENTS_MAX;
	if (most < 1 || data.length < 1)
		return throw_type(env, "results must have room for three numbers, data for a byte");
	release_ended(connector);
	ready = epoll_wait(connector->epoll.fd, events, most, 0);
	if (ready < 0 && errno != EINTR)
		return throw_errno(env, errno, "epoll_wait");
	for (i = 0; i < ready && data.length > 0; i++) {
		int32_t *result = results + RESULT_WORDS * count;

		if (!advance(connector, events[i].data.u32, events[i].events, &data, result))
			continue;
		count++;
		if (result[1] == RESULT_DATA) {
			data.data += result[2];
			data.length -= result[2];
		}
	}
	return make_int(env, count);
}

/*
 * cancel(number): resets a connection; no effect on one that has ended. Its number is reused only after the next call of
 * collect(): results of the last one may still name it.
 */
static napi_value connector_cancel(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	int index;
	struct slot *slot;
	struct connector *connector = this_connector(env, info, &argc, argv, NULL);

	if (!connector || !arg_int(env, argv[0], "number", &index))
		return NULL;
	if (index < 0 || index >= connector->count || connector->slots[index].fd < 0)
		return NULL;
	slot = &connector->slots[index];
	close_slot(slot);
	slot->next = connector->ended;
	connector->ended = index;
	return NULL;
}

/* established(number): whether a connection with a request is established; false for any other number. */
static napi_value connector_established(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1], result = NULL;
	int index;
	struct connector *connector = this_connector(env, info, &argc, argv, NULL);

	if (!connector || !arg_int(env, argv[0], "number", &index))
		return NULL;
	napi_get_boolean(env, index >= 0 && index < connector->count && connector->slots[index].fd >= 0 &&
			 connector->slots[index].established, &result);
	return result;
}

/*
 * negotiated(number): what the handshake of a connection has negotiated; also of one that has ended, until the next call
 * of collect(). 0: it is not known. Bits 0 to 2: timestamps, SACK, window scale; bit 3 is set; bits 4 to 7: the peer's
 * window scale; bits 8 to 23: the MSS that it takes, at most what the route allows.
 */
static napi_value connector_negotiated(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	int index;
	struct connector *connector = this_connector(env, info, &argc, argv, NULL);

	if (!connector || !arg_int(env, argv[0], "number", &index))
		return NULL;
	return make_int(env, index >= 0 && index < connector->count ? connector->slots[index].negotiated : 0);
}

/* watch(callback): calls back while there are finished connections to collect. */
static napi_value connector_watch(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1], self;
	struct connector *connector = this_connector(env, info, &argc, argv, &self);

	return connector ? pollable_watch(env, &connector->epoll, self, POLLABLE_READABLE, argv[0]) : NULL;
}

static napi_value connector_ref(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct connector *connector = this_connector(env, info, &argc, NULL, NULL);

	if (connector)
		pollable_reference(&connector->epoll, true);
	return NULL;
}

static napi_value connector_unref(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct connector *connector = this_connector(env, info, &argc, NULL, NULL);

	if (connector)
		pollable_reference(&connector->epoll, false);
	return NULL;
}

static napi_value connector_close(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct connector *connector = this_connector(env, info, &argc, NULL, NULL);

	if (!connector)
		return NULL;
	close_all(env, connector);
	return NULL;
}

napi_value define_connector(napi_env env, napi_value exports)
{
#define METHOD(name, function) { name, NULL, function, NULL, NULL, NULL, napi_default_method, NULL }
	napi_property_descriptor members[] = {
		METHOD("connect", connector_connect),
		METHOD("collect", connector_collect),
		METHOD("cancel", connector_cancel),
		METHOD("established", connector_established),
		METHOD("negotiated", connector_negotiated),
		METHOD("watch", connector_watch),
		METHOD("ref", connector_ref),
		METHOD("unref", connector_unref),
		METHOD("close", connector_close),
	};
#undef METHOD
	napi_value class;

	if (napi_define_class(env, "Connector", NAPI_AUTO_LENGTH, construct, NULL,
			      sizeof(members) / sizeof(members[0]), members, &class) != napi_ok ||
	    napi_set_named_property(env, exports, "Connector", class) != napi_ok)
		return NULL;
	return class;
}
