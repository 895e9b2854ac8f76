// SPDX-License-Identifier: MIT
/* Methods send, sendBatch and receive. All buffers belong to the caller; nothing is allocated. */
#define _GNU_SOURCE
#include "args.h"
#include "error.h"
#include "socket-methods.h"
#include "socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Messages per system call: enough to amortise its cost, few enough for the stack. */
#define BATCH_MAX 64
/* Numbers that receive() writes for each message: length, flags, address length, control length. */
#define INFO_WORDS 4

/* send(data, address?, control?, flags?): bytes sent, or -1 if the socket would block. */
napi_value socket_send(napi_env env, napi_callback_info info)
{
	size_t argc = 4;
	napi_value argv[4];
	struct bytes data, address, control;
	struct iovec vector;
	struct msghdr message = { 0 };
	int flags = 0;
	ssize_t sent;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, "sendmsg");

	if (!socket || !arg_bytes(env, argv[0], "data", &data) ||
	    !arg_bytes_or_nothing(env, argv[1], "address", &address) ||
	    !arg_bytes_or_nothing(env, argv[2], "control", &control) ||
	    (!arg_missing(env, argv[3]) && !arg_int(env, argv[3], "flags", &flags)))
		return NULL;
	vector.iov_base = data.data;
	vector.iov_len = data.length;
	message.msg_name = address.data;
	message.msg_namelen = address.length;
	message.msg_iov = &vector;
	message.msg_iovlen = 1;
	message.msg_control = control.data;
	message.msg_controllen = control.length;
	do
		sent = sendmsg(socket->pollable.fd, &message, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN)
		return throw_errno(env, errno, "sendmsg");
	return make_int(env, sent < 0 ? -1 : sent);
}

static bool element(napi_env env, napi_value array, uint32_t index, const char *name, struct bytes *out)
{
	napi_value value;

	if (napi_get_element(env, array, index, &value) != napi_ok)
		return false;
	return arg_bytes(env, value, name, out);
}

static bool arg_array(napi_env env, napi_value value, const char *message, uint32_t *length)
{
	bool array = false;

	if (!value || napi_is_array(env, value, &array) != napi_ok || !array ||
	    napi_get_array_length(env, value, length) != napi_ok) {
		throw_type(env, message);
		return false;
	}
	return true;
}

/*
 * sendBatch(datas, addresses?): sends up to 64 messages in one system call and returns how many were sent
 * (0: would block). `addresses` has one entry per message; omit it on a connected socket. An error is thrown
 * only if the first message fails: call again with the remaining ones to get the error of the next.
 */
napi_value socket_send_batch(napi_env env, napi_callback_info info)
{
	size_t argc = 2;
	napi_value argv[2];
	struct mmsghdr messages[BATCH_MAX];
	struct iovec vectors[BATCH_MAX];
	struct bytes data, address;
	uint32_t count, addresses = 0, i;
	int sent;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, "sendmmsg");

	if (!socket || !arg_array(env, argv[0], "datas must be an array of Uint8Array", &count))
		return NULL;
	if (!arg_missing(env, argv[1])) {
		if (!arg_array(env, argv[1], "addresses must be an array of Uint8Array", &addresses))
			return NULL;
		if (addresses != count)
			return throw_type(env, "addresses must be as many as datas");
	}
	if (count > BATCH_MAX)
		count = BATCH_MAX;
	memset(messages, 0, sizeof(messages));
	for (i = 0; i < count; i++) {
		if (!element(env, argv[0], i, "data", &data))
			return NULL;
		vectors[i].iov_base = data.data;
		vectors[i].iov_len = data.length;
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		if (!addresses)
			continue;
		if (!element(env, argv[1], i, "address", &address))
			return NULL;
		messages[i].msg_hdr.msg_name = address.data;
		messages[i].msg_hdr.msg_namelen = address.length;
	}
	do
		sent = count ? sendmmsg(socket->pollable.fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN)
		return throw_errno(env, errno, "sendmmsg");
	return make_int(env, sent < 0 ? 0 : sent);
}

/*
 * receive(data, info, addresses?, control?): receives up to info.length / 4 messages in one system call and returns
 * their number (0: none). Message i starts at i * floor(data.length / slots), its sender at
 * i * floor(addresses.length / slots), and its control messages likewise; info[4i..4i+3] = length (after
 * truncation), MSG_* flags, address length, control length. Throws a pending socket error, which clears it.
 */
napi_value socket_receive(napi_env env, napi_callback_info info)
{
	size_t argc = 4, words, slots, size, address_size, control_size, i;
	napi_value argv[4];
	struct bytes data, addresses, control;
	struct mmsghdr messages[BATCH_MAX];
	struct iovec vectors[BATCH_MAX];
	struct msghdr *header;
	int32_t *out;
	int count;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, "recvmmsg");

	if (!socket || !arg_bytes(env, argv[0], "data", &data) || !arg_words(env, argv[1], "info", &out, &words) ||
	    !arg_bytes_or_nothing(env, argv[2], "addresses", &addresses) ||
	    !arg_bytes_or_nothing(env, argv[3], "control", &control))
		return NULL;
	slots = words / INFO_WORDS;
	if (slots < 1 || slots > BATCH_MAX || words % INFO_WORDS)
		return throw_type(env, "info must have 4 numbers for each of 1 to 64 messages");
	size = data.length / slots;
	if (size < 1)
		return throw_type(env, "data must have at least one byte for each message");
	address_size = addresses.length / slots;
	control_size = control.length / slots;
	memset(messages, 0, sizeof(messages[0]) * slots);
	for (i = 0; i < slots; i++) {
		header = &messages[i].msg_hdr;
		vectors[i].iov_base = data.data + i * size;
		vectors[i].iov_len = size;
		header->msg_iov = &vectors[i];
		header->msg_iovlen = 1;
		header->msg_name = address_size ? addresses.data + i * address_size : NULL;
		header->msg_namelen = address_size;
		header->msg_control = control_size ? control.data + i * control_size : NULL;
		header->msg_controllen = control_size;
	}
	do
		count = recvmmsg(socket->pollable.fd, messages, slots, MSG_DONTWAIT, NULL);
	while (count < 0 && errno == EINTR);
	if (count < 0 && errno != EAGAIN)
		return throw_errno(env, errno, "recvmmsg");
	for (i = 0; count > 0 && i < (size_t)count; i++) {
		header = &messages[i].msg_hdr;
		out[INFO_WORDS * i] = messages[i].msg_len;
		out[INFO_WORDS * i + 1] = header->msg_flags;
		out[INFO_WORDS * i + 2] = header->msg_namelen < address_size ? header->msg_namelen : address_size;
		out[INFO_WORDS * i + 3] = header->msg_controllen;
	}
	return make_int(env, count < 0 ? 0 : count);
}
