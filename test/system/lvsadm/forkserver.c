// SPDX-License-Identifier: MIT
/*
 * Preloaded into Debian's ipvsadm: main() runs in a fork for every command line instead of in a new process each, since
 * an emulated CPU spends most of a process's time on loading it. The program's own code, its libraries and the kernel
 * are the real ones.
 *
 * Question on standard input: length of what follows (u32), argument count (u32), arguments ended by NUL, then the
 * child's standard input. Answer on standard output: wait status, length of stdout, length of stderr (u32 each), both.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int (*main_fn)(int, char **, char **);

static main_fn program;

static void all(int fd, void *data, size_t length, int reading)
{
	char *at = data;

	while (length > 0) {
		ssize_t n = reading ? read(fd, at, length) : write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		at += n;
		length -= n;
	}
}

static int memory(const void *data, size_t length)
{
	int fd = memfd_create("ipvsadm", MFD_CLOEXEC);

	if (fd < 0)
		_exit(1);
	if (length > 0) {
		all(fd, (void *)data, length, 0);
		lseek(fd, 0, SEEK_SET);
	}
	return fd;
}

static void give(int fd, uint32_t length)
{
	char buffer[65536];

	lseek(fd, 0, SEEK_SET);
	while (length > 0) {
		uint32_t part = length < sizeof(buffer) ? length : sizeof(buffer);

		all(fd, buffer, part, 1);
		all(STDOUT_FILENO, buffer, part, 0);
		length -= part;
	}
	close(fd);
}

static int serve(int argc, char **argv, char **envp)
{
	(void)argc;
	for (;;) {
		uint32_t length, count, i, answer[3];
		char *question, *at, **words;
		int fds[3], status;
		pid_t child;

		all(STDIN_FILENO, &length, sizeof(length), 1);
		question = malloc(length + 1);
		all(STDIN_FILENO, question, length, 1);
		question[length] = '\0';
		memcpy(&count, question, sizeof(count));
		words = calloc(count + 2, sizeof(*words));
		words[0] = "ipvsadm";
		at = question + sizeof(count);
		for (i = 0; i < count; i++) {
			words[i + 1] = at;
			at += strlen(at) + 1;
		}
		fds[0] = memory(at, question + length - at);
		fds[1] = memory(NULL, 0);
		fds[2] = memory(NULL, 0);
		child = fork();
		if (child == 0) {
			for (i = 0; i < 3; i++)
				dup2(fds[i], i);
			argv[0] = words[0];
			exit(program(count + 1, words, envp));
		}
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		answer[0] = status;
		answer[1] = lseek(fds[1], 0, SEEK_END);
		answer[2] = lseek(fds[2], 0, SEEK_END);
		all(STDOUT_FILENO, answer, sizeof(answer), 0);
		close(fds[0]);
		give(fds[1], answer[1]);
		give(fds[2], answer[2]);
		free(words);
		free(question);
	}
}

int __libc_start_main(main_fn main, int argc, char **argv, main_fn init, void (*fini)(void), void (*rtld_fini)(void),
		      void *stack_end)
{
	int (*real)(main_fn, int, char **, main_fn, void (*)(void), void (*)(void), void *);

	real = dlsym(RTLD_NEXT, "__libc_start_main");
	program = main;
	return real(serve, argc, argv, init, fini, rtld_fini, stack_end);
}
