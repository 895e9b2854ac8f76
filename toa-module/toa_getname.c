// SPDX-License-Identifier: GPL-2.0-only
/*
 * accept(), getpeername() and io_uring's accept all call inet_getname() or
 * inet6_getname(). A return probe on those replaces the reported peer with the
 * client.
 *
 * Both functions can sleep in lock_sock() while they hold a probe instance.
 * If no instance is free, the call silently reports the balancer's address:
 * hence the large pool and the counter of missed calls. Calls for sockets that
 * are not in the table release their instance on entry.
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
		 "concurrent getname calls for each address family (default and minimum 4096)");

/* Copies, so that unloading during the call leaves no dangling pointer. */
struct toa_call {
	struct net *net;
	struct sockaddr *uaddr;
	struct toa_end client;
	struct toa_end known;
};

/* Returns non-zero to skip the return handler. */
static int toa_getname_entry(struct kretprobe_instance *ri,
			     struct pt_regs *regs)
{
	struct socket *sock = (void *)regs_get_kernel_argument(regs, 0);
	int peer = regs_get_kernel_argument(regs, 2);
	struct toa_call *call = (void *)ri->data;
	struct sock *sk = sock->sk;

	/* Datagram and raw sockets and other protocols use this function too. */
	if (sk->sk_type != SOCK_STREAM || sk->sk_protocol != IPPROTO_TCP)
		return 1;
	call->net = sock_net(sk);
	if (!peer || !toa_peers_get(sk, &call->client, &call->known)) {
		toa_stat_inc(call->net, TOA_GETNAME_EMPTY);
		return 1;
	}
	/* Callers inside the kernel get the unchanged peer. */
	if (!sock->file) {
		toa_stat_inc(call->net, TOA_GETNAME_BYPASS);
		return 1;
	}
	call->uaddr = (void *)regs_get_kernel_argument(regs, 1);
	return 0;
}

static bool toa_replace_v4(struct sockaddr_in *sin, const struct toa_call *call)
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

static bool toa_replace_v6(struct sockaddr_in6 *sin6, const struct toa_call *call)
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

	/* no longer connected: no address to replace */
	if ((int)regs_return_value(regs) < 0)
		return 0;
	if (call->uaddr->sa_family == AF_INET)
		ok = toa_replace_v4((struct sockaddr_in *)call->uaddr, call);
	else if (call->uaddr->sa_family == AF_INET6)
		ok = toa_replace_v6((struct sockaddr_in6 *)call->uaddr, call);
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
		pr_err("maxactive=%u is out of range, %u to %u\n", maxactive,
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
 * Waits for running handlers. Calls that sleep in lock_sock() return without a
 * handler and report the unchanged peer.
 */
void toa_getname_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(toa_getname_probes); i++)
		unregister_kretprobe(&toa_getname_probes[i]);
}
