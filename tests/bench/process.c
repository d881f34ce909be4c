/* SPDX-License-Identifier: MIT */
/*
 * How long a command takes, and how much memory.
 *
 *     bench_process COMMAND [ARGUMENT...]
 *
 * Prints one JSON object on stderr: wall time, and the peak resident memory of the
 * largest process among the command and the descendants it waited for.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t begin = now();
	struct rusage usage;
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: %s COMMAND [ARGUMENT...]\n", argv[0]);
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid) {
		perror(argv[1]);
		return 1;
	}
	fprintf(stderr, "{\"wall_ms\": %.3f, \"peak_kib\": %ld}\n", (double)(now() - begin) / 1e6,
		usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
