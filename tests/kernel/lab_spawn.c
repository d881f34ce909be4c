/* SPDX-License-Identifier: MIT */
/* What programs find inside a node, and what is heard of them whatever they do. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#include "support/in_lab.h"

/* How many processes there are besides the supervisor. */
static size_t processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			count++;
	if (dir)
		closedir(dir);
	return count - 1;
}

/* Let the lab be for @ms, as a caller with nothing to do would. */
static int idle(struct lab *lab, unsigned int ms)
{
	uint64_t deadline = lab_clock() + ms * MS;
	struct lab_event event;
	int r;

	do
		r = lab_next(lab, deadline, &event);
	while (r == 0 && event.kind != LAB_TIMEOUT);
	return r;
}

static int body_view(void *data)
{
	static const char script[] =
		"hostname; echo $NATSIM_NODE; ls /sys/class/net; cat /etc/resolv.conf | wc -l; "
		"getent hosts server; pwd; cat; umask; ulimit -c; ulimit -Sn; "
		"grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l; "
		"ps -o sid= -p $$ | tr -d ' ' | grep -qx $$ && echo leads its session; "
		"echo oops >&2; exit 3";
	AUTO_BUILT struct built built;
	struct child *child;
	char expected[1024], *cwd;

	(void)data;
	EXPECT(built_up(two_homes, NULL, &built) == 0, "no lab");
	EXPECT(spawn_shell(&built, "pc1", script, &child) == 0, "no shell");
	EXPECT(wait_end(built.lab, child, 5000) == 0, "the shell did not end");
	cwd = getcwd(NULL, 0);
	/* ls itself has the directory open: 0, 1, 2 and that */
	snprintf(expected, sizeof(expected),
		 "pc1\npc1\nhome1\nlo\n1\n9.9.9.9         server\n9.9.9.10        "
		 "server\n%s\n0022\n0\n1024\n"
		 "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n4\nleads its session\n",
		 cwd);
	free(cwd);
	EXPECT(strcmp(child->out.text, expected) == 0, "saw\n%s\nwanted\n%s", child->out.text,
	       expected);
	EXPECT(strcmp(child->err.text, "oops\n") == 0, "on stderr: %s", child->err.text);
	EXPECT(child->end == CHILD_EXITED && child->status == 3, "status %d", child->status);
	EXPECT(child->ended > child->started, "no time passed");
	return 0;
}

Test(spawn, a_program_finds_its_node_and_nothing_of_ours, .timeout = 20)
{
	in_lab(body_view, NULL);
}

Test(spawn, an_ordinary_users_program_finds_the_same, .timeout = 20)
{
	in_lab_as_nobody(body_view, NULL);
}

static int refused(struct built *built, const char *program, int error, const char *words)
{
	char text[64], *argv[] = {text, NULL};
	AUTO_DIAG struct diag d = {0};
	struct child *child = NULL;
	int r;

	snprintf(text, sizeof(text), "%s", program);
	r = lab_spawn(built->lab, 0, argv, NULL, &child, &d);
	EXPECT(r == -error, "%s: %d instead of %d", program, r, -error);
	EXPECT(!child, "%s: a child in spite of it", program);
	EXPECT(d.count == 1 && strcmp(d.entries[0].message, words) == 0, "said \"%s\"",
	       d.count ? d.entries[0].message : "");
	EXPECT(processes() == 0, "%s: %zu processes are left", program, processes());
	return 0;
}

static int body_cannot_execute(void *data)
{
	AUTO_BUILT struct built built;

	(void)data;
	EXPECT(built_up(one_host, NULL, &built) == 0, "no lab");
	/* Known folders, one of which has a file "hosts" that nobody may execute. */
	EXPECT(setenv("PATH", "/bin:/etc", 1) == 0, "setenv");
	if (refused(&built, "no-such-command", ENOENT,
		    "cannot start \"no-such-command\" on host: no such command in PATH") ||
	    refused(&built, "./no-such-file", ENOENT,
		    "cannot start \"./no-such-file\" on host: there is no such file, or its "
		    "interpreter is missing") ||
	    refused(&built, "/etc/passwd", EACCES,
		    "cannot start \"/etc/passwd\" on host: it is not executable") ||
	    refused(&built, "hosts", EACCES,
		    "cannot start \"hosts\" on host: no command in PATH that may be executed") ||
	    refused(&built, "/", EACCES, "cannot start \"/\" on host: it is not executable"))
		return 1;
	return 0;
}

Test(spawn, a_command_that_cannot_be_executed_is_refused_in_words, .timeout = 20)
{
	in_lab(body_cannot_execute, NULL);
}

static int body_lines(void *data)
{
	AUTO_BUILT struct built built;
	struct lab_event event;
	size_t parts = 0, bytes = 0;
	struct child *child;

	(void)data;
	EXPECT(built_up(one_host, NULL, &built) == 0, "no lab");
	EXPECT(spawn_shell(&built, "host", "printf 'one\\n\\nthree\\0x\\nlast'", &child) == 0,
	       "no");
	EXPECT(wait_line(built.lab, child, "one", 5000) == 0, "line one");
	EXPECT(wait_line(built.lab, child, "", 5000) == 0, "an empty line is a line");
	EXPECT(lab_next(built.lab, lab_clock() + 5000 * MS, &event) == 0, "next");
	EXPECT(event.kind == LAB_LINE && event.length == 7 && !memcmp(event.line, "three\0x", 7),
	       "a NUL is a byte like any other: length %zu", event.length);
	EXPECT(lab_next(built.lab, lab_clock() + 5000 * MS, &event) == 0, "next");
	EXPECT(event.kind == LAB_LINE && strcmp(event.line, "last") == 0,
	       "the last line counts without a newline, and comes before the end");
	EXPECT(lab_next(built.lab, lab_clock() + 5000 * MS, &event) == 0, "next");
	EXPECT(event.kind == LAB_ENDED && event.child == child, "then the end");

	EXPECT(spawn_shell(&built, "host", "head -c 200000 /dev/zero | tr '\\0' x; echo", &child) ==
		       0,
	       "no shell");
	for (;;) {
		EXPECT(lab_next(built.lab, lab_clock() + 5000 * MS, &event) == 0, "next");
		if (event.kind != LAB_LINE)
			break;
		EXPECT(event.length <= 65536, "a part of %zu bytes", event.length);
		bytes += event.length;
		parts++;
	}
	EXPECT(event.kind == LAB_ENDED && bytes == 200000 && parts >= 4, "%zu bytes in %zu parts",
	       bytes, parts);
	return 0;
}

Test(lines, come_whole_or_in_parts_and_all_before_the_end, .timeout = 20)
{
	in_lab(body_lines, NULL);
}

static long resident_kib(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) < 0 ? 0 : usage.ru_maxrss;
}

static int body_flood(void *data)
{
	struct lab_options options = {.output_limit = 10000};
	AUTO_BUILT struct built built;
	struct child *out, *err, *quiet, *more;
	long before, after;
	size_t i;
	uint64_t begin;

	(void)data;
	EXPECT(built_up(two_homes, &options, &built) == 0, "no lab");
	before = resident_kib();
	EXPECT(spawn_shell(&built, "pc1", "exec yes", &out) == 0, "no yes");
	EXPECT(spawn_shell(&built, "pc2", "exec yes >&2", &err) == 0, "no yes on stderr");
	EXPECT(spawn_shell(&built, "server", "echo still here", &quiet) == 0, "no quiet one");
	EXPECT(wait_end(built.lab, quiet, 5000) == 0, "the quiet one is not heard");
	EXPECT(strcmp(quiet->out.text, "still here\n") == 0, "it said %s", quiet->out.text);
	/* So many that there is always one that has written: the deadline must be told all the
	 * same. */
	for (i = 0; i < 10; i++)
		EXPECT(spawn_shell(&built, "server", "exec yes", &more) == 0, "no yes");
	begin = lab_clock();
	EXPECT(idle(built.lab, 100) == 0, "idle");
	EXPECT(lab_clock() - begin < 1000 * MS, "the deadline was told %llu ms late",
	       (unsigned long long)((lab_clock() - begin) / MS - 100));
	EXPECT(out->out.length == 10000 && err->err.length == 10000, "kept %zu and %zu",
	       out->out.length, err->err.length);
	EXPECT(out->out.total > 100000 && err->err.total > 100000, "counted only %llu and %llu",
	       (unsigned long long)out->out.total, (unsigned long long)err->err.total);
	EXPECT(strlen(out->out.text) == 10000, "not NUL-terminated");
	after = resident_kib();
	EXPECT(after - before < 2048, "grew by %ld KiB", after - before);
	EXPECT(lab_kill(built.lab, out, SIGTERM) == 0 && lab_kill(built.lab, err, SIGTERM) == 0,
	       "kill");
	EXPECT(wait_end(built.lab, out, 5000) == 0, "yes did not end");
	EXPECT(out->end == CHILD_KILLED && out->status == SIGTERM, "status %d", out->status);
	return 0;
}

Test(output, a_flood_is_counted_and_bounded_and_drowns_nobody, .timeout = 30)
{
	in_lab(body_flood, NULL);
}

static int body_ignores_term(void *data)
{
	AUTO_BUILT struct built built;
	struct child *child;

	(void)data;
	EXPECT(built_up(one_host, NULL, &built) == 0, "no lab");
	EXPECT(spawn_shell(&built, "host",
			   "trap '' TERM; sleep 1000 & echo deaf; while :; do wait; done",
			   &child) == 0,
	       "no shell");
	EXPECT(wait_line(built.lab, child, "deaf", 5000) == 0, "not ready");
	EXPECT(lab_kill(built.lab, child, SIGTERM) == 0, "TERM");
	EXPECT(wait_end(built.lab, child, 100) == -ETIME, "it was to ignore SIGTERM");
	EXPECT(child->end == CHILD_RUNNING, "and to go on");
	EXPECT(lab_kill(built.lab, child, SIGKILL) == 0, "KILL");
	EXPECT(wait_end(built.lab, child, 5000) == 0, "SIGKILL must end it");
	EXPECT(child->end == CHILD_KILLED && child->status == SIGKILL, "status %d", child->status);
	EXPECT(idle(built.lab, 50) == 0 && processes() == 0, "%zu of its children live on",
	       processes());
	EXPECT(lab_kill(built.lab, child, SIGKILL) == 0, "killing the dead is no error");
	return 0;
}

Test(kill, a_program_that_ignores_sigterm_goes_with_its_children, .timeout = 20)
{
	in_lab(body_ignores_term, NULL);
}

static int body_job_control(void *data)
{
	char shell[] = "bash", option[] = "-c";
	char script[] = "set -m; sleep 1000 & echo on; wait";
	char *argv[] = {shell, option, script, NULL};
	AUTO_BUILT struct built built;
	struct child *child;

	(void)data;
	EXPECT(built_up(one_host, NULL, &built) == 0, "no lab");
	EXPECT(lab_spawn(built.lab, 0, argv, NULL, &child, NULL) == 0, "no bash");
	EXPECT(wait_line(built.lab, child, "on", 5000) == 0, "not ready");
	EXPECT(processes() == 2, "bash and sleep: %zu", processes());
	EXPECT(lab_kill(built.lab, child, SIGKILL) == 0, "KILL");
	EXPECT(wait_end(built.lab, child, 5000) == 0, "SIGKILL must end it");
	EXPECT(idle(built.lab, 50) == 0 && processes() == 0,
	       "a background group of the session lives on");
	return 0;
}

Test(kill, reaches_groups_that_job_control_made, .timeout = 20)
{
	in_lab(body_job_control, NULL);
}

static int body_never_ends(void *data)
{
	AUTO_BUILT struct built built;
	struct lab_event event;
	uint64_t begin, passed;
	struct child *child;

	(void)data;
	EXPECT(built_up(one_host, NULL, &built) == 0, "no lab");
	EXPECT(spawn_shell(&built, "host", "exec sleep 1000", &child) == 0, "no sleep");
	begin = lab_clock();
	EXPECT(lab_next(built.lab, begin + 150 * MS, &event) == 0, "next");
	passed = lab_clock() - begin;
	EXPECT(event.kind == LAB_TIMEOUT, "event %d", event.kind);
	EXPECT(passed >= 150 * MS, "told %llu us too early",
	       (unsigned long long)((150 * MS - passed) / 1000));
	EXPECT(processes() == 1, "it was to live on");
	lab_free(STEAL(built.lab));
	EXPECT(processes() == 0, "it outlived its lab");
	return 0;
}

Test(deadline, is_told_for_a_program_that_never_ends_and_it_dies_with_the_lab, .timeout = 20)
{
	in_lab(body_never_ends, NULL);
}

static int body_grandchildren(void *data)
{
	AUTO_BUILT struct built built;
	struct child *child;
	uint64_t begin;

	(void)data;
	EXPECT(built_up(one_host, NULL, &built) == 0, "no lab");
	begin = lab_clock();
	EXPECT(spawn_shell(&built, "host", "sleep 1000 & setsid sleep 1000 & echo parent gone",
			   &child) == 0,
	       "no shell");
	EXPECT(wait_end(built.lab, child, 5000) == 0,
	       "the end must be told though grandchildren hold the pipes open");
	EXPECT(lab_clock() - begin < 4000 * MS, "late");
	EXPECT(strcmp(child->out.text, "parent gone\n") == 0, "said %s", child->out.text);
	/* One that ends while nobody waits for it must not stay as a zombie. */
	EXPECT(spawn_shell(&built, "host", "(sleep 0.05 & ) ; echo x", &child) == 0, "no shell");
	EXPECT(wait_end(built.lab, child, 5000) == 0, "the end");
	EXPECT(idle(built.lab, 300) == 0, "idle");
	EXPECT(processes() == 2, "two sleeps and no zombie, but %zu", processes());
	lab_free(STEAL(built.lab));
	EXPECT(processes() == 0, "%zu outlived the lab", processes());
	return 0;
}

Test(orphans, neither_hold_up_an_end_nor_stay_as_zombies_nor_outlive_the_lab, .timeout = 20)
{
	in_lab(body_grandchildren, NULL);
}

static int body_flooding_grandchild(void *data)
{
	AUTO_BUILT struct built built;
	struct child *child;

	(void)data;
	EXPECT(built_up(one_host, NULL, &built) == 0, "no lab");
	EXPECT(spawn_shell(&built, "host", "yes & yes >&2 & exit 0", &child) == 0, "no shell");
	EXPECT(wait_end(built.lab, child, 5000) == 0,
	       "a grandchild that floods the pipes must not hold up the end");
	return 0;
}

Test(orphans, that_flood_do_not_hold_up_an_end, .timeout = 20)
{
	in_lab(body_flooding_grandchild, NULL);
}

static int body_many(void *data)
{
	enum { MANY = 40 };
	AUTO_BUILT struct built built;
	struct child *children[MANY];
	struct lab_event event;
	size_t i, ended = 0;
	char script[32];

	(void)data;
	EXPECT(built_up(two_homes, NULL, &built) == 0, "no lab");
	for (i = 0; i < MANY; i++) {
		snprintf(script, sizeof(script), "echo %zu; exit %zu", i, i);
		EXPECT(spawn_shell(&built, i % 2 ? "pc1" : "pc2", script, &children[i]) == 0, "no");
	}
	while (ended < MANY) {
		EXPECT(lab_next(built.lab, lab_clock() + 5000 * MS, &event) == 0, "next");
		EXPECT(event.kind != LAB_TIMEOUT, "only %zu of %d ended", ended, MANY);
		ended += event.kind == LAB_ENDED;
	}
	for (i = 0; i < MANY; i++) {
		snprintf(script, sizeof(script), "%zu\n", i);
		EXPECT(children[i]->status == (int)i && strcmp(children[i]->out.text, script) == 0,
		       "child %zu: status %d, said %s", i, children[i]->status,
		       children[i]->out.text);
	}
	EXPECT(processes() == 0, "%zu are left", processes());
	return 0;
}

Test(spawn, many_at_once_are_each_told_apart, .timeout = 30)
{
	in_lab(body_many, NULL);
}
