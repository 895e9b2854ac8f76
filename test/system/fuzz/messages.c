// SPDX-License-Identifier: MIT
/*
 * messages FILE PART: sends the netlink messages in FILE (each after its length, 32 bits) in parts of PART. Each part
 * has a network namespace of its own, with traffic to the services that the messages configure; at its end, the
 * namespace is removed with everything in it. Every twelfth namespace belongs to an unprivileged user, who is root only
 * there and must be refused; so must a user without any rights, who sends the same messages in every fourth of the
 * others. Prints a line of JSON: the number of messages by errno.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534
#define AT_ONCE 3
#define ERRNOS 256
/* The sequence number that messages.ts gives its messages */
#define SEQUENCE 0x6c767364

static struct outcome {
	/* By errno, 0 is success; answers with data are counted separately. */
	uint64_t of[ERRNOS], answers, silent;
	/* Answers of netlink itself or of another family: see is_ours(). */
	uint64_t others;
} *outcomes;
enum { ROOT, USER, NO_RIGHTS };

static uint8_t *messages;
static size_t length;

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(3);
}

static void read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t end = lseek(fd, 0, SEEK_END);

	if (fd < 0 || end <= 0)
		die(path);
	length = end;
	messages = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
}

/* If a message's length is shorter than the bytes sent, the kernel parses the rest as the next message, of any type:
 * netlink acknowledges types below NLMSG_MIN_TYPE to every user. Only the fuzzer's own messages have its sequence
 * number.
 */
static bool is_ours(const struct nlmsghdr *answer)
{
	return answer->nlmsg_seq == SEQUENCE;
}

/* The kernel has queued its answer when send() returns; it continues a dump while it is read. */
static void send_message(int netlink, const uint8_t *message, uint32_t size, struct outcome *outcome)
{
	static uint8_t answer[1 << 17];
	bool heard = false;
	ssize_t n;

	if (send(netlink, message, size, 0) < 0) {
		__atomic_fetch_add(&outcome->of[errno % ERRNOS], 1, __ATOMIC_RELAXED);
		return;
	}
	while ((n = recv(netlink, answer, sizeof(answer), MSG_DONTWAIT)) > 0) {
		for (struct nlmsghdr *at = (void *)answer; NLMSG_OK(at, n); at = NLMSG_NEXT(at, n)) {
			int error = 0;

			if (!is_ours(at)) {
				__atomic_fetch_add(&outcome->others, 1, __ATOMIC_RELAXED);
				continue;
			}
			if (at->nlmsg_type == NLMSG_ERROR || at->nlmsg_type == NLMSG_DONE)
				memcpy(&error, NLMSG_DATA(at), sizeof(error));
			else
				__atomic_fetch_add(&outcome->answers, 1, __ATOMIC_RELAXED);
			if (at->nlmsg_type == NLMSG_ERROR || at->nlmsg_type == NLMSG_DONE) {
				__atomic_fetch_add(&outcome->of[(unsigned int)-error % ERRNOS], 1, __ATOMIC_RELAXED);
				heard = true;
			}
		}
	}
	if (!heard)
		__atomic_fetch_add(&outcome->silent, 1, __ATOMIC_RELAXED);
}

static void send_all(const uint8_t *at, const uint8_t *end, struct outcome *outcome)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	if (netlink < 0)
		die("netlink");
	while (at < end) {
		uint32_t size;

		memcpy(&size, at, 4);
		send_message(netlink, at + 4, size, outcome);
		at += 4 + size;
	}
	close(netlink);
}

/* Sends connections and datagrams to addresses that may be services. */
static void __attribute__((noreturn)) traffic(void)
{
	static const char *const to[] = { "10.99.0.1", "10.99.0.2", "10.99.0.1", "127.0.0.1" };
	static int open_sockets[64];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int i = 0;; i++) {
		bool udp = i % 5 == 4;
		struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(80 + i % 3 / 2) };
		int fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);

		inet_pton(AF_INET, to[i % 4], &at.sin_addr);
		if (connect(fd, (void *)&at, sizeof(at)) == 0 && udp)
			send(fd, "datagram", 8, 0);
		if (open_sockets[i % 64] > 0)
			close(open_sockets[i % 64]);
		open_sockets[i % 64] = fd;
		if (i % 8 == 0)
			usleep(10000);
	}
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void new_namespace(bool unprivileged)
{
	if (unprivileged) {
		char map[50];

		if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
			die("setuid");
		prctl(PR_SET_DUMPABLE, 1);
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
			die("unshare as a user");
		snprintf(map, sizeof(map), "0 %d 1", NOBODY);
		write_to("/proc/self/setgroups", "deny");
		write_to("/proc/self/uid_map", map);
		write_to("/proc/self/gid_map", map);
	} else if (unshare(CLONE_NEWNET)) {
		die("unshare");
	}
	if (system("exec 2>/dev/null; printf '%s\\n' 'link set lo up' 'link add veth0 type veth peer name veth1' "
		   "'link set veth0 up' 'link set veth1 up' 'addr add 10.31.3.2/24 dev veth0' "
		   "'addr add 10.31.3.101/32 dev veth0' 'addr add 10.31.3.102/32 dev veth0' 'addr add 10.99.0.1/32 dev lo' "
		   "'addr add 10.99.0.2/32 dev lo' 'route add default via 10.31.3.1' | ip -batch -"))
		die("ip");
}

static void __attribute__((noreturn)) part(int number, const uint8_t *at, const uint8_t *end)
{
	bool user = number % 12 == 5;
	pid_t talker, no_rights;

	new_namespace(user);
	talker = fork();
	if (talker == 0)
		traffic();
	no_rights = number % 4 ? 0 : fork();
	if (number % 4 == 0 && no_rights == 0) {
		if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
			die("setuid");
		send_all(at, end, &outcomes[NO_RIGHTS]);
		_exit(0);
	}
	send_all(at, end, &outcomes[user ? USER : ROOT]);
	/* Half of the namespaces are removed while packets still flow. */
	if (number % 2)
		kill(talker, SIGKILL);
	if (no_rights > 0)
		waitpid(no_rights, NULL, 0);
	_exit(0);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "root", "user", "noRights" };
	size_t size = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	const uint8_t *at, *from;
	int running = 0, number = 0, how, broken = 0;

	if (argc < 3 || size == 0)
		return 2;
	read_file(argv[1]);
	outcomes = mmap(NULL, 3 * sizeof(*outcomes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (at = from = messages; from < messages + length; from = at, number++) {
		for (size_t i = 0; i < size && at < messages + length; i++) {
			uint32_t one;

			memcpy(&one, at, 4);
			at += 4 + one;
		}
		if (running == AT_ONCE && wait(&how) > 0) {
			broken += how != 0;
			running--;
		}
		running++;
		if (fork() == 0)
			part(number, from, at);
	}
	while (wait(&how) > 0)
		broken += how != 0;
	printf("{\"namespaces\":%d,\"broken\":%d", number, broken);
	for (int who = 0; who < 3; who++) {
		printf(",\"%s\":{\"answers\":%llu,\"silent\":%llu,\"others\":%llu", names[who],
		       (unsigned long long)outcomes[who].answers, (unsigned long long)outcomes[who].silent,
		       (unsigned long long)outcomes[who].others);
		for (int error = 0; error < ERRNOS; error++)
			if (outcomes[who].of[error])
				printf(",\"%s\":%llu", error ? strerrorname_np(error) : "done",
				       (unsigned long long)outcomes[who].of[error]);
		printf("}");
	}
	printf("}\n");
	return broken > 0;
}
