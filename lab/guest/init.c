// SPDX-License-Identifier: MIT
/*
 * The lab's first process. Boots the guest into the host's own root file system and runs one command there.
 *
 * It is written in C because every fork costs milliseconds on an emulated CPU, and because a shell cannot report how many
 * bytes of output the host has to expect. It must be process 1: kernel threads share its root directory, so that after
 * its chroot the kernel's module autoload finds modprobe.
 *
 * It reads /spec (records "key=value", each ended by NUL, written by initrd.ts) and talks to the host over three
 * virtio-serial ports: lab.out and lab.err carry the command's output, lab.ctl carries lines: "ready UPTIME" before the
 * command starts, "exit STATUS OUT-BYTES ERR-BYTES" after it, or "fail TEXT".
 *
 * In User-mode Linux (the spec says "uml") the host's files come by hostfs, and the ports are the terminals that the
 * spec names.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static char *spec;
static size_t spec_len;
static int ctl = -1;

static double uptime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void __attribute__((noreturn)) fail(const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "lab init: %s\n", text);
	if (ctl >= 0)
		dprintf(ctl, "fail %s\n", text);
	sleep(1);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

/* The next value of `key` after `after`; NULL starts at the front, NULL comes back at the end. */
static char *spec_next(const char *key, char *after)
{
	char *end = spec + spec_len;
	char *at = after ? after + strlen(after) + 1 : spec;
	size_t len = strlen(key);

	for (; at < end; at += strlen(at) + 1)
		if (!strncmp(at, key, len) && at[len] == '=')
			return at + len + 1;
	return NULL;
}

static void spec_read(void)
{
	int fd = open("/spec", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		fail("no /spec in the initrd");
	spec_len = st.st_size;
	spec = malloc(spec_len + 1);
	for (size_t got = 0; got < spec_len;) {
		ssize_t n = read(fd, spec + got, spec_len - got);

		if (n <= 0)
			fail("cannot read /spec");
		got += n;
	}
	spec[spec_len] = 0;
	close(fd);
}

static void try_mount(const char *type, const char *where, unsigned long flags, const char *data)
{
	mkdir(where, 0755);
	if (mount(type, where, type, flags, data))
		fprintf(stderr, "lab init: mount %s on %s: %s\n", type, where, strerror(errno));
}

static void must_mount(const char *what, const char *where, const char *type, unsigned long flags, const char *data)
{
	mkdir(where, 0755);
	if (mount(what, where, type, flags, data))
		fail("mount %s on %s: %s", what, where, strerror(errno));
}

static void make_dirs(const char *path)
{
	char part[4096];

	snprintf(part, sizeof(part), "%s", path);
	for (char *at = part + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = 0;
		mkdir(part, 0755);
		*at = '/';
	}
	mkdir(part, 0755);
}

static void load_modules(void)
{
	for (char *path = spec_next("module", NULL); path; path = spec_next("module", path)) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			fail("load %s: %s", path, strerror(errno));
		close(fd);
	}
}

/* A terminal that passes every byte as it is. */
static int open_terminal(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios raw;

	if (fd < 0 || tcgetattr(fd, &raw))
		fail("open %s: %s", path, strerror(errno));
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);
	return fd;
}

/* Opens the virtio-serial port of that name. The ports appear some time after their driver: waits up to 20 s. */
static int open_port(const char *wanted)
{
	char *terminal = spec_next(wanted, NULL);

	if (terminal)
		return open_terminal(terminal);
	for (int tries = 0; tries < 2000; tries++, usleep(10000)) {
		DIR *dir = opendir("/sys/class/virtio-ports");
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			char path[300], name[64] = "";
			int fd;
			ssize_t n;

			snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			n = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);
			if (fd >= 0)
				close(fd);
			if (n <= 0)
				continue;
			name[strcspn(name, "\n")] = 0;
			if (strcmp(name, wanted))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd >= 0) {
				closedir(dir);
				return fd;
			}
		}
		if (dir)
			closedir(dir);
	}
	fail("port %s never appeared", wanted);
}

/* Mounts an overlay: the host's root at the bottom, the layers above it, a tmpfs for writes on top. */
static void enter_root(void)
{
	char lower[4000] = "lowerdir=", options[4200], where[4200];
	char *out = spec_next("out", NULL);
	bool uml = spec_next("uml", NULL);

	if (uml)
		must_mount("none", "/share", "hostfs", MS_RDONLY, NULL);
	else
		must_mount("lab", "/share", "virtiofs", 0, NULL);
	must_mount("tmpfs", "/rw", "tmpfs", 0, "size=90%");
	mkdir("/rw/upper", 0755);
	mkdir("/rw/work", 0755);
	for (char *layer = spec_next("layer", NULL); layer; layer = spec_next("layer", layer)) {
		strcat(lower, lower[9] ? ":/share/" : "/share/");
		strcat(lower, layer);
	}
	snprintf(options, sizeof(options), "%s,upperdir=/rw/upper,workdir=/rw/work", lower);
	must_mount("overlay", "/new", "overlay", 0, options);
	must_mount("/proc", "/new/proc", NULL, MS_MOVE, NULL);
	must_mount("/sys", "/new/sys", NULL, MS_MOVE, NULL);
	must_mount("/dev", "/new/dev", NULL, MS_MOVE, NULL);
	if (out) {
		snprintf(where, sizeof(where), "/new%s", out);
		make_dirs(where);
		if (uml)
			must_mount("none", where, "hostfs", 0, "/out");
		else
			must_mount("/share/out", where, NULL, MS_BIND, NULL);
	}
	if (chdir("/new") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail("switch root: %s", strerror(errno));
}

static void furnish(void)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
	};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = { .ifr_name = "lo" };
	struct rlimit files = { 1 << 16, 1 << 20 };

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]) && errno != EEXIST)
			fprintf(stderr, "lab init: link %s: %s\n", links[i][1], strerror(errno));
	try_mount("devpts", "/dev/pts", 0, "mode=620,ptmxmode=666");
	try_mount("tmpfs", "/dev/shm", 0, NULL);
	try_mount("tmpfs", "/run", 0, "mode=755");
	try_mount("cgroup2", "/sys/fs/cgroup", 0, NULL);
	try_mount("bpf", "/sys/fs/bpf", 0, NULL);
	try_mount("debugfs", "/sys/kernel/debug", 0, NULL);
	try_mount("tracefs", "/sys/kernel/tracing", 0, NULL);
	mkdir("/run/lock", 01777);
	sethostname("lab", 3);
	setrlimit(RLIMIT_NOFILE, &files);

	if (sock < 0 || ioctl(sock, SIOCGIFFLAGS, &lo))
		fail("no loopback device: %s", strerror(errno));
	lo.ifr_flags |= IFF_UP;
	ioctl(sock, SIOCSIFFLAGS, &lo);
	close(sock);

	/* "write=FILE TEXT": a sysctl or the like; "link=PATH TARGET": a name on the command's PATH. */
	for (char *at = spec_next("write", NULL); at; at = spec_next("write", at)) {
		char *text = strchr(at, ' ');
		char path[300];
		int fd;

		snprintf(path, sizeof(path), "%.*s", (int)(text - at), at);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, text + 1, strlen(text + 1)) < 0)
			fprintf(stderr, "lab init: write %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	for (char *at = spec_next("link", NULL); at; at = spec_next("link", at)) {
		char *target = strchr(at, ' ');
		char path[4096], dir[4096];

		snprintf(path, sizeof(path), "%.*s", (int)(target - at), at);
		snprintf(dir, sizeof(dir), "%s", path);
		*strrchr(dir, '/') = 0;
		make_dirs(dir);
		if (symlink(target + 1, path))
			fprintf(stderr, "lab init: link %s: %s\n", path, strerror(errno));
	}
}

static void __attribute__((noreturn)) run_command(int out, int err)
{
	static char *argv[4096], *envp[4096];
	int n = 0, null = open("/dev/null", O_RDONLY);
	char *cwd = spec_next("cwd", NULL);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	close(null);
	for (char *at = spec_next("arg", NULL); at && n < 4095; at = spec_next("arg", at))
		argv[n++] = at;
	n = 0;
	for (char *at = spec_next("env", NULL); at && n < 4095; at = spec_next("env", at)) {
		envp[n++] = at;
		if (!strncmp(at, "PATH=", 5))
			putenv(at); /* execvpe searches the caller's PATH, not envp's */
	}
	if (chdir(cwd)) {
		dprintf(2, "lab: %s: %s\n", cwd, strerror(errno));
		_exit(126);
	}
	execvpe(argv[0], argv, envp);
	n = errno;
	dprintf(2, "lab: %s: %s\n", argv[0], strerror(n));
	_exit(n == ENOENT ? 127 : 126);
}

/* Moves what one pipe holds to its port. Returns the bytes moved, 0 at the end of the stream, -1 when it is empty. */
static ssize_t pump(int from, int to)
{
	static char buffer[1 << 16];
	ssize_t got = read(from, buffer, sizeof(buffer));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? -1 : 0;
	for (ssize_t done = 0; done < got;) {
		ssize_t n = write(to, buffer + done, got - done);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			fail("write to a port: %s", strerror(errno));
		if (n > 0)
			done += n;
	}
	return got;
}

int main(void)
{
	int ports[2], pipes[2][2], signals, status = 0, open_pipes = 2;
	unsigned long long moved[2] = { 0, 0 };
	bool running = true;
	double ended = 0;
	sigset_t child;
	pid_t command;
	char reply;

	must_mount("proc", "/proc", "proc", 0, NULL);
	must_mount("sysfs", "/sys", "sysfs", 0, NULL);
	must_mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	spec_read();
	load_modules();
	ctl = open_port("lab.ctl");
	ports[0] = open_port("lab.out");
	ports[1] = open_port("lab.err");
	enter_root();
	furnish();

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0 || pipe2(pipes[0], O_CLOEXEC) || pipe2(pipes[1], O_CLOEXEC))
		fail("pipes: %s", strerror(errno));
	dprintf(ctl, "ready %.1f\n", uptime());
	command = fork();
	if (command < 0)
		fail("fork: %s", strerror(errno));
	if (command == 0)
		run_command(pipes[0][1], pipes[1][1]);
	for (int i = 0; i < 2; i++) {
		close(pipes[i][1]);
		fcntl(pipes[i][0], F_SETFL, O_NONBLOCK);
	}

	/*
	 * Daemons that the command left behind may keep its pipes open forever: after its end, the contents of the pipes
	 * are copied until they are empty, for two seconds at most.
	 */
	while (running || open_pipes > 0) {
		struct pollfd polls[3] = {
			{ .fd = pipes[0][0], .events = POLLIN },
			{ .fd = pipes[1][0], .events = POLLIN },
			{ .fd = signals, .events = POLLIN },
		};
		struct signalfd_siginfo info;
		int ready = poll(polls, 3, running ? -1 : 0);

		if (!running && (ready == 0 || uptime() > ended + 2))
			break;
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (!polls[i].revents)
				continue;
			n = pump(pipes[i][0], ports[i]);
			if (n > 0)
				moved[i] += n;
			if (n == 0) {
				close(pipes[i][0]);
				pipes[i][0] = -1;
				open_pipes--;
			}
		}
		if (!polls[2].revents)
			continue;
		while (read(signals, &info, sizeof(info)) == sizeof(info))
			;
		for (;;) {
			int how;
			pid_t gone = waitpid(-1, &how, WNOHANG);

			if (gone <= 0)
				break;
			if (gone != command)
				continue;
			running = false;
			ended = uptime();
			status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
		}
	}
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	sync();
	dprintf(ctl, "exit %d %llu %llu\n", status, moved[0], moved[1]);
	/* The host ends the machine once it has received every byte. */
	if (read(ctl, &reply, 1) < 0)
		sleep(10);
	reboot(RB_POWER_OFF);
	return 0;
}
