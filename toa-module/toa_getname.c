// SPDX-License-Identifier: GPL-2.0-only
/*
 * What accept(), getpeername() and io_uring's accept report: all of them ask
 * inet_getname() or inet6_getname(), and a return probe on those lays the
 * client over the answer.
 *
 * Both sleep in lock_sock(), and a probe's instance is in use meanwhile. An
 * instance that is lacking would make the balancer's address show, in
 * silence: hence many of them, and the count of the missing. Only calls for
 * sockets in the table hold one beyond the entry.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/in.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/ptrace.h>
#include <net/ipv6.h>

#include "toa.h"

#define TOA_MAXACTIVE_MIN 4096U
#define TOA_MAXACTIVE_MAX 1048576U

static unsigned int maxactive = TOA_MAXACTIVE_MIN;
module_param(maxactive, uint, 0444);
MODULE_PARM_DESC(maxactive,
		 "calls of getname at a time for each address family (default and least 4096)");

/* Copies, so that an unload in the middle of the call leaves no pointer. */
struct toa_call {
	struct net *net;
	struct sockaddr *uaddr;
	struct toa_end client;
	struct toa_end known;
};

/* Non-zero: this call's return is of no interest. */
static int toa_getname_entry(struct kretprobe_instance *ri,
			     struct pt_regs *regs)
{
	struct socket *sock = (void *)regs_get_kernel_argument(regs, 0);
	int peer = regs_get_kernel_argument(regs, 2);
	struct toa_call *call = (void *)ri->data;
	struct sock *sk = sock->sk;

	/* Datagram and raw sockets, and other protocols, use it as well. */
	if (sk->sk_type != SOCK_STREAM || sk->sk_protocol != IPPROTO_TCP)
		return 1;
	call->net = sock_net(sk);
	if (!peer || !toa_peers_get(sk, &call->client, &call->known)) {
		toa_stat_inc(call->net, TOA_GETNAME_EMPTY);
		return 1;
	}
	/* Users within the kernel get what the kernel knows, as ever. */
	if (!sock->file) {
		toa_stat_inc(call->net, TOA_GETNAME_BYPASS);
		return 1;
	}
	call->uaddr = (void *)regs_get_kernel_argument(regs, 1);
	return 0;
}

static bool toa_lay_v4(struct sockaddr_in *sin, const struct toa_call *call)
{
	if (sin->sin_port != call->known.port ||
	    sin->sin_addr.s_addr != call->known.addr.s6_addr32[3] ||
	    !ipv6_addr_v4mapped(&call->known.addr) ||
	    !ipv6_addr_v4mapped(&call->client.addr))
		return false;
	sin->sin_port = call->client.port;
	sin->sin_addr.s_addr = call->client.addr.s6_addr32[3];
	return true;
}

static bool toa_lay_v6(struct sockaddr_in6 *sin6, const struct toa_call *call)
{
	if (sin6->sin6_port != call->known.port ||
	    !ipv6_addr_equal(&sin6->sin6_addr, &call->known.addr))
		return false;
	sin6->sin6_port = call->client.port;
	sin6->sin6_addr = call->client.addr;
	return true;
}

static int toa_getname_return(struct kretprobe_instance *ri,
			      struct pt_regs *regs)
{
	struct toa_call *call = (void *)ri->data;
	bool ok = false;

	/* not connected any more: there is no answer to lay anything over */
	if ((int)regs_return_value(regs) < 0)
		return 0;
	if (call->uaddr->sa_family == AF_INET)
		ok = toa_lay_v4((struct sockaddr_in *)call->uaddr, call);
	else if (call->uaddr->sa_family == AF_INET6)
		ok = toa_lay_v6((struct sockaddr_in6 *)call->uaddr, call);
	toa_stat_inc(call->net, ok ? TOA_GETNAME_OK : TOA_GETNAME_MISMATCH);
	return 0;
}

static struct kretprobe toa_getname_probes[] = {
	{
		.kp.symbol_name = "inet_getname",
		.entry_handler = toa_getname_entry,
		.handler = toa_getname_return,
		.data_size = sizeof(struct toa_call),
	},
#if IS_ENABLED(CONFIG_IPV6)
	{
		.kp.symbol_name = "inet6_getname",
		.entry_handler = toa_getname_entry,
		.handler = toa_getname_return,
		.data_size = sizeof(struct toa_call),
	},
#endif
};

unsigned long toa_getname_missed(void)
{
	unsigned long missed = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(toa_getname_probes); i++)
		missed += toa_getname_probes[i].nmissed +
			  toa_getname_probes[i].kp.nmissed;
	return missed;
}

int toa_getname_init(void)
{
	int i, err;

	if (maxactive < TOA_MAXACTIVE_MIN || maxactive > TOA_MAXACTIVE_MAX) {
		pr_err("maxactive=%u is not within %u to %u\n", maxactive,
		       TOA_MAXACTIVE_MIN, TOA_MAXACTIVE_MAX);
		return -EINVAL;
	}
	for (i = 0; i < ARRAY_SIZE(toa_getname_probes); i++) {
		struct kretprobe *probe = &toa_getname_probes[i];

		probe->maxactive = maxactive;
		err = register_kretprobe(probe);
		if (err) {
			pr_err("cannot probe %s (%d)\n",
			       probe->kp.symbol_name, err);
			goto undo;
		}
	}
	return 0;

undo:
	while (i--)
		unregister_kretprobe(&toa_getname_probes[i]);
	return err;
}

/*
 * Waits for handlers that run now. Calls that sleep in lock_sock() find no
 * handler on their way back, and report what the kernel knows.
 */
void toa_getname_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(toa_getname_probes); i++)
		unregister_kretprobe(&toa_getname_probes[i]);
}
