// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parameter trust=: the balancers' local addresses.
 *
 * Any host that can connect to the real server could put an arbitrary address
 * into the option. It is therefore accepted only from senders on this list; the
 * balancer removes TOA options that clients send.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/inet.h>
#include <linux/inetdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "toa.h"

/* The whole list fits into the one page that sysfs can show. */
#define TOA_TRUST_MAX 200

struct toa_prefix {
	__be32 net;
	__be32 mask;
	u8 len;
};

struct toa_trust {
	struct rcu_head rcu;
	bool any;
	unsigned int n;
	struct toa_prefix prefix[];
};

/* NULL: no sender is trusted. Writers are serialised by the parameter lock. */
static struct toa_trust __rcu *toa_trust;

bool toa_trust_empty(void)
{
	return !rcu_access_pointer(toa_trust);
}

bool toa_trusts(__be32 saddr)
{
	const struct toa_trust *trust;
	bool found = false;
	unsigned int i;

	rcu_read_lock();
	trust = rcu_dereference(toa_trust);
	if (trust) {
		found = trust->any;
		for (i = 0; i < trust->n && !found; i++)
			found = (saddr & trust->prefix[i].mask) ==
				trust->prefix[i].net;
	}
	rcu_read_unlock();
	return found;
}

static int toa_prefix_parse(const char *word, struct toa_prefix *prefix)
{
	const char *end;
	u8 len = 32;

	if (!in4_pton(word, -1, (u8 *)&prefix->net, '/', &end) ||
	    (*end && (*end != '/' || kstrtou8(end + 1, 10, &len))) ||
	    len > 32) {
		pr_err("trust=: \"%s\" is not an IPv4 address, a prefix such as 10.31.0.0/16, or any\n",
		       word);
		return -EINVAL;
	}
	prefix->len = len;
	prefix->mask = inet_make_mask(len);
	if (prefix->net & ~prefix->mask) {
		__be32 net = prefix->net & prefix->mask;

		pr_err("trust=: \"%s\" has bits set beyond its prefix length: write %pI4/%u\n",
		       word, &net, len);
		return -EINVAL;
	}
	return 0;
}

static int toa_trust_parse(char *list, struct toa_trust *trust)
{
	char *word;
	int err;

	while ((word = strsep(&list, ","))) {
		word = strim(word);
		if (!strcmp(word, "any")) {
			trust->any = true;
			continue;
		}
		if (trust->n == TOA_TRUST_MAX) {
			pr_err("trust=: more than %u prefixes\n",
			       TOA_TRUST_MAX);
			return -EINVAL;
		}
		err = toa_prefix_parse(word, &trust->prefix[trust->n]);
		if (err)
			return err;
		trust->n++;
	}
	return 0;
}

static struct toa_trust *toa_trust_new(const char *val)
{
	struct toa_trust *trust;
	unsigned int words = 1;
	const char *p;
	char *list;
	int err;

	for (p = val; *p; p++)
		words += *p == ',';
	words = min_t(unsigned int, words, TOA_TRUST_MAX);

	list = kstrdup(val, GFP_KERNEL);
	trust = kzalloc(struct_size(trust, prefix, words), GFP_KERNEL);
	err = list && trust ? toa_trust_parse(list, trust) : -ENOMEM;
	kfree(list);
	if (err) {
		kfree(trust);
		return ERR_PTR(err);
	}
	return trust;
}

static int toa_trust_set(const char *val, const struct kernel_param *kp)
{
	struct toa_trust *trust = NULL, *old;

	if (*skip_spaces(val)) {
		trust = toa_trust_new(val);
		if (IS_ERR(trust))
			return PTR_ERR(trust);
	} else if (THIS_MODULE->state == MODULE_STATE_LIVE) {
		pr_warn("trust= is now empty: TOA is ignored from every sender\n");
	}
	/* parameter lock */
	old = rcu_replace_pointer(toa_trust, trust, 1);
	if (old)
		kfree_rcu(old, rcu);
	return 0;
}

static int toa_trust_get(char *buf, const struct kernel_param *kp)
{
	const struct toa_trust *trust;
	const char *comma = "";
	unsigned int i;
	int len = 0;

	/* parameter lock */
	trust = rcu_dereference_protected(toa_trust, 1);
	if (trust && trust->any) {
		len += scnprintf(buf, PAGE_SIZE, "any");
		comma = ",";
	}
	for (i = 0; trust && i < trust->n; i++) {
		len += scnprintf(buf + len, PAGE_SIZE - len, "%s%pI4/%u",
				 comma, &trust->prefix[i].net,
				 trust->prefix[i].len);
		comma = ",";
	}
	len += scnprintf(buf + len, PAGE_SIZE - len, "\n");
	return len;
}

/* Called at unload and when loading fails, after all hooks are removed. */
static void toa_trust_free(void *arg)
{
	kfree(rcu_replace_pointer(toa_trust, NULL, 1));
}

static const struct kernel_param_ops toa_trust_ops = {
	.set = toa_trust_set,
	.get = toa_trust_get,
	.free = toa_trust_free,
};

module_param_cb(trust, &toa_trust_ops, NULL, 0644);
MODULE_PARM_DESC(trust,
		 "balancer addresses to accept TOA from: prefixes separated by commas, or any (default: none)");
