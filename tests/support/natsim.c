/* SPDX-License-Identifier: MIT */
#include "support/natsim.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In the child. Only what is safe between fork and exec in a process with threads. */
static void become(const struct natsim *natsim, char *const argv[], int out, int err)
{
	int null = open("/dev/null", O_RDONLY);

	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	setpgid(0, 0);
	if (natsim->uid &&
	    (setgroups(0, NULL) != 0 || setresgid(natsim->uid, natsim->uid, natsim->uid) != 0 ||
	     setresuid(natsim->uid, natsim->uid, natsim->uid) != 0))
		_exit(126);
	execv(argv[0], argv);
	_exit(127);
}

void natsim_start(struct natsim *natsim, const char *const words[])
{
	char *argv[NATSIM_WORDS_MAX + 2] = {0};
	int out[2], err[2];
	size_t i;

	argv[0] = strdup(natsim->binary ? natsim->binary : TEST_BINARY_DIR "/natsim");
	for (i = 0; words[i]; i++) {
		cr_assert_lt(i, NATSIM_WORDS_MAX);
		argv[i + 1] = strdup(words[i]);
	}
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(err, O_CLOEXEC), 0);
	natsim->pid = fork();
	cr_assert_geq(natsim->pid, 0);
	if (natsim->pid == 0)
		become(natsim, argv, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	natsim->out_fd = out[0];
	natsim->err_fd = err[0];
	natsim->pidfd = (int)syscall(SYS_pidfd_open, natsim->pid, 0);
	cr_assert_geq(natsim->pidfd, 0);
	for (i = 0; argv[i]; i++)
		free(argv[i]);
}

/* Take what is there; false at the end. */
static bool drain(int fd, char **text, size_t *length)
{
	char buffer[65536];
	ssize_t n = read(fd, buffer, sizeof(buffer));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	*text = realloc(*text, *length + (size_t)n + 1);
	cr_assert_not_null(*text);
	memcpy(*text + *length, buffer, (size_t)n);
	*length += (size_t)n;
	(*text)[*length] = '\0';
	return true;
}

static void reap(struct natsim *natsim)
{
	siginfo_t info = {0};

	cr_assert_eq(waitid(P_PID, (id_t)natsim->pid, &info, WEXITED), 0);
	natsim->status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

void natsim_finish(struct natsim *natsim)
{
	long long deadline = now_ms() + NATSIM_DEADLINE_MS;
	struct pollfd fds[] = {{.fd = natsim->out_fd, .events = POLLIN},
			       {.fd = natsim->err_fd, .events = POLLIN}};
	long long left;

	natsim->out = calloc(1, 1);
	natsim->err = calloc(1, 1);
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		left = deadline - now_ms();
		if (left <= 0 || poll(fds, 2, (int)left) == 0) {
			kill(-natsim->pid, SIGKILL);
			cr_assert_fail("natsim has not ended after %d ms; it said:\n%s%s",
				       NATSIM_DEADLINE_MS, natsim->out, natsim->err);
		}
		if (fds[0].revents && !drain(fds[0].fd, &natsim->out, &natsim->out_length))
			fds[0].fd = -1;
		if (fds[1].revents && !drain(fds[1].fd, &natsim->err, &natsim->err_length))
			fds[1].fd = -1;
	}
	reap(natsim);
	close(natsim->out_fd);
	close(natsim->err_fd);
	close(natsim->pidfd);
}

void natsim_run(struct natsim *natsim, ...)
{
	const char *words[NATSIM_WORDS_MAX + 1];
	size_t count = 0;
	va_list args;

	va_start(args, natsim);
	do {
		cr_assert_lt(count, NATSIM_WORDS_MAX);
		words[count] = va_arg(args, const char *);
	} while (words[count++]);
	va_end(args);
	natsim_start(natsim, words);
	natsim_finish(natsim);
}

void natsim_clear(struct natsim *natsim)
{
	free(natsim->out);
	free(natsim->err);
	*natsim = (struct natsim){0};
}

json_t *natsim_json(const struct natsim *natsim)
{
	json_error_t error;
	json_t *json = json_loadb(natsim->out, natsim->out_length, JSON_REJECT_DUPLICATES, &error);

	cr_assert_not_null(json, "stdout is JSON, but %s at line %d:\n%s%s", error.text, error.line,
			   natsim->out, natsim->err);
	return json;
}

const json_t *json_at(const json_t *json, const char *path)
{
	char name[64];
	size_t length;

	while (json && *path) {
		length = strcspn(path, ".");
		cr_assert_lt(length, sizeof(name));
		memcpy(name, path, length);
		name[length] = '\0';
		if (json_is_array(json))
			json = json_array_get(json, strtoul(name, NULL, 10));
		else
			json = json_object_get(json, name);
		path += length + (path[length] == '.');
	}
	return json;
}

/* --- scratch --------------------------------------------------------------------- */

struct scratch scratch_new(void)
{
	struct scratch scratch = {.path = "/tmp/natsim-test-XXXXXX"};

	cr_assert_not_null(mkdtemp(scratch.path));
	cr_assert_eq(chmod(scratch.path, 0755), 0);
	return scratch;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

void scratch_free(struct scratch *scratch)
{
	nftw(scratch->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char *scratch_write(const struct scratch *scratch, const char *name, const char *text)
{
	char *path;
	FILE *file;

	cr_assert_gt(asprintf(&path, "%s/%s", scratch->path, name), 0);
	file = fopen(path, "we");
	cr_assert_not_null(file);
	fputs(text, file);
	cr_assert_eq(fclose(file), 0);
	return path;
}

char *scratch_fifo(const struct scratch *scratch, const char *name)
{
	char *path;

	cr_assert_gt(asprintf(&path, "%s/%s", scratch->path, name), 0);
	cr_assert_eq(mkfifo(path, 0666), 0);
	cr_assert_eq(chmod(path, 0666), 0);
	return path;
}

void fifo_wait(const char *path)
{
	/* Without O_NONBLOCK this would wait for a writer for ever, without a deadline. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	cr_assert_geq(fd, 0);
	cr_assert_eq(poll(&poller, 1, NATSIM_DEADLINE_MS), 1, "nobody wrote to %s in time", path);
}

/* --- processes ---------------------------------------------------------------------- */

static bool has_argument(const char *pid, const char *word)
{
	char path[300], line[4096];
	AUTO_FCLOSE FILE *file = NULL;
	size_t length;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	file = fopen(path, "re");
	length = file ? fread(line, 1, sizeof(line), file) : 0;
	return memmem(line, length, word, strlen(word)) != NULL;
}

size_t processes_with(const char *word)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	cr_assert_not_null(proc);
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			count += has_argument(entry->d_name, word);
	closedir(proc);
	return count;
}

void await_no_process_with(const char *word)
{
	long long deadline = now_ms() + 10000;

	/* The kernel takes a lab's processes away after natsim itself is gone; there is no
	 * descriptor of theirs to wait on, so look again, giving way in between. */
	while (processes_with(word)) {
		cr_assert_lt(now_ms(), deadline, "a process with %s is still there", word);
		poll(NULL, 0, 1);
	}
}
