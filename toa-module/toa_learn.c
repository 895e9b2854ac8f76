// SPDX-License-Identifier: GPL-2.0-only
/*
 * Learning the client from the packet that completes a handshake, and
 * forgetting it when the socket ends.
 *
 * tcp_child_process(parent, child, skb) is where every passive open comes
 * through, with both the new socket and the packet that made it: IPv4 and
 * IPv6 listeners, SYN cookies, TCP_DEFER_ACCEPT's data packet. The child is
 * still locked there, so accept() and getpeername(), which take that lock,
 * cannot look at it before us. One entry hook does; no return has to be
 * intercepted.
 *
 * The hooks are function-entry hooks of ftrace and not kprobes, although
 * kprobes on function entries are made of them. A kprobe is skipped while the
 * CPU is inside the handler of another, and interrupts are on in there: a
 * soft interrupt that comes in the middle of the handler on getname() would
 * make all its handshakes lose their clients, and all its dying sockets stay
 * in the table. ftrace's own hooks have no such state. PERMANENT makes
 * "sysctl kernel.ftrace_enabled=0" fail instead of switching us off.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/tcp.h>
#include <net/inet_sock.h>

#include "toa.h"

/* Changed by the parameter kind= only, and only before the hooks are there. */
static struct toa_form toa_forms[] = {
	{ .kind = 254, .len = 8, .addrlen = 4 },
};

module_param_named(kind, toa_forms[0].kind, byte, 0444);
MODULE_PARM_DESC(kind, "TCP option kind of an IPv4 client (default 254)");

static enum toa_verdict toa_read(const struct sk_buff *skb,
				 struct toa_end *client)
{
	const struct tcphdr *th = tcp_hdr(skb);

	/* TCP has checked that doff is at least 5 and pulled the header. */
	return toa_scan((const __u8 *)(th + 1), th->doff * 4 - sizeof(*th),
			toa_forms, ARRAY_SIZE(toa_forms), client);
}

static enum toa_stat toa_learn(struct sock *child, const struct sk_buff *skb)
{
	struct toa_end client, known;
	__be32 saddr = child->sk_daddr;

	if (skb->protocol != htons(ETH_P_IP))
		return TOA_SYN_NO_TOA;
	switch (toa_read(skb, &client)) {
	case TOA_NONE:
		return TOA_SYN_NO_TOA;
	case TOA_MALFORMED:
		return TOA_SYN_MALFORMED;
	case TOA_FOUND:
		break;
	}
	if (!toa_trusts(saddr))
		return TOA_SYN_UNTRUSTED;

	/*
	 * Sockets that do not hold their namespace are the kernel's own; they
	 * get no entry, which could outlive the counters of the namespace.
	 */
	toa_end_set_v4(&known, &saddr, child->sk_dport);
	if (child->sk_net_refcnt && toa_peers_add(child, &client, &known))
		toa_stat_inc(sock_net(child), TOA_NOT_KEPT);
	return TOA_SYN_TOA;
}

static void toa_on_child(unsigned long ip, unsigned long parent_ip,
			 struct ftrace_ops *op, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	struct sock *child = (void *)regs_get_kernel_argument(regs, 1);
	struct sk_buff *skb = (void *)regs_get_kernel_argument(regs, 2);

	toa_peers_del(child);
	toa_stat_inc(sock_net(child), toa_learn(child, skb));
}

static void toa_on_destruct(unsigned long ip, unsigned long parent_ip,
			    struct ftrace_ops *op, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	struct sock *sk = (void *)regs_get_kernel_argument(regs, 0);

	if (sk->sk_protocol == IPPROTO_TCP)
		toa_peers_del(sk);
}

static struct toa_hook {
	char symbol[24];
	struct ftrace_ops ops;
} toa_hooks[] = {
	{
		.symbol = "inet_sock_destruct",
		.ops = {
			.func = toa_on_destruct,
			.flags = FTRACE_OPS_FL_SAVE_REGS |
				 FTRACE_OPS_FL_PERMANENT,
		},
	}, {
		.symbol = "tcp_child_process",
		.ops = {
			.func = toa_on_child,
			.flags = FTRACE_OPS_FL_SAVE_REGS |
				 FTRACE_OPS_FL_PERMANENT,
		},
	},
};

/* Returns only when the hook runs on no CPU any more. */
static void toa_hook_remove(struct toa_hook *hook)
{
	unregister_ftrace_function(&hook->ops);
	ftrace_free_filter(&hook->ops);
}

static int toa_hook_add(struct toa_hook *hook)
{
	int err;

	err = ftrace_set_filter(&hook->ops, hook->symbol,
				strlen(hook->symbol), 1);
	if (err) {
		pr_err("this kernel has no %s to hook (%d)\n",
		       hook->symbol, err);
		return err;
	}
	err = register_ftrace_function(&hook->ops);
	if (err) {
		pr_err("cannot hook %s (%d)%s\n", hook->symbol, err,
		       err == -EBUSY ? ": is kernel.ftrace_enabled 0?" : "");
		ftrace_free_filter(&hook->ops);
	}
	return err;
}

/* Kinds that TCP itself knows: an operator's slip, not somebody's TOA. */
static bool toa_kind_taken(u8 kind)
{
	switch (kind) {
	case 0 ... 5:	/* end, no-operation, MSS, window scale, SACK */
	case 8:		/* timestamps */
	case 19:	/* MD5 */
	case 29:	/* authentication */
	case 30:	/* MPTCP */
	case 34:	/* Fast Open */
		return true;
	}
	return false;
}

int toa_learn_init(void)
{
	int i, err;

	if (toa_kind_taken(toa_forms[0].kind)) {
		pr_err("kind=%u is a TCP option of its own\n",
		       toa_forms[0].kind);
		return -EINVAL;
	}
	for (i = 0; i < ARRAY_SIZE(toa_hooks); i++) {
		err = toa_hook_add(&toa_hooks[i]);
		if (err)
			goto undo;
	}
	return 0;

undo:
	while (i--)
		toa_hook_remove(&toa_hooks[i]);
	return err;
}

/* The other way round: nothing may be learnt that nobody would forget. */
void toa_learn_exit(void)
{
	int i;

	for (i = ARRAY_SIZE(toa_hooks); i--; )
		toa_hook_remove(&toa_hooks[i]);
}
