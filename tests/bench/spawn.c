/* SPDX-License-Identifier: MIT */
/*
 * How much dearer is a program inside a node than a bare fork and exec?
 *
 *     bench_spawn TOPOLOGY [ROUNDS]
 *
 * /bin/true each way in turn, from before the fork to its end being known. Prints one
 * JSON object: the median milliseconds of each and their difference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "lab/lab.h"
#include "plan/plan.h"
#include "topo/topo.h"

enum { ROUNDS_DEFAULT = 40, ROUNDS_MAX = 1000 };

struct bench {
	const char *path;
	size_t rounds;
	double bare_ms[ROUNDS_MAX], node_ms[ROUNDS_MAX];
};

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static int run_bare(char *const argv[])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int run_inside(struct lab *lab, char *const argv[], struct diag *d)
{
	struct lab_event event;
	struct child *child;
	int r = lab_spawn(lab, 0, argv, NULL, &child, d);

	do {
		if (r == 0)
			r = lab_next(lab, lab_clock() + 5 * UINT64_C(1000000000), &event);
	} while (r == 0 && event.kind == LAB_LINE);
	return r == 0 && event.kind == LAB_ENDED && child->status == 0 ? 0 : -1;
}

static int measure(struct bench *bench, struct lab *lab, struct diag *d)
{
	char program[] = "/bin/true";
	char *const argv[] = {program, NULL};
	uint64_t begin, middle;
	size_t i;

	for (i = 0; i < bench->rounds; i++) {
		begin = lab_clock();
		if (run_bare(argv) < 0)
			return -1;
		middle = lab_clock();
		if (run_inside(lab, argv, d) < 0)
			return -1;
		bench->bare_ms[i] = (double)(middle - begin) / 1e6;
		bench->node_ms[i] = (double)(lab_clock() - middle) / 1e6;
	}
	return 0;
}

static int work(void *data)
{
	CLEANUP(topo_free_cleanup) struct topo *topo = NULL;
	CLEANUP(plan_free_cleanup) struct plan *plan = NULL;
	CLEANUP(lab_free_cleanup) struct lab *lab = NULL;
	struct bench *bench = data;
	AUTO_DIAG struct diag d = {0};
	double bare_ms, node_ms;
	int r = topo_load(bench->path, &topo, &d);

	if (r == 0)
		r = plan_make(topo, &plan);
	if (r == 0)
		r = lab_up(topo, plan, NULL, &lab, &d);
	if (r == 0)
		r = measure(bench, lab, &d);
	if (r < 0) {
		diag_print(&d, stderr, false);
		return 1;
	}
	bare_ms = median(bench->bare_ms, bench->rounds);
	node_ms = median(bench->node_ms, bench->rounds);
	printf("{\"rounds\": %zu, \"bare_ms\": %.3f, \"node_ms\": %.3f, \"dearer_ms\": %.3f}\n",
	       bench->rounds, bare_ms, node_ms, node_ms - bare_ms);
	return 0;
}

int main(int argc, char **argv)
{
	struct bench bench = {.rounds = ROUNDS_DEFAULT};
	AUTO_DIAG struct diag d = {0};
	int r;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: %s TOPOLOGY [ROUNDS]\n", argv[0]);
		return 2;
	}
	bench.path = argv[1];
	if (argc == 3)
		bench.rounds = (size_t)strtoul(argv[2], NULL, 10);
	if (bench.rounds < 1 || bench.rounds > ROUNDS_MAX) {
		fprintf(stderr, "%s: from 1 to %d rounds\n", argv[0], ROUNDS_MAX);
		return 2;
	}
	r = lab_supervise(work, &bench, &d);
	diag_print(&d, stderr, false);
	return r < 0 ? 1 : r;
}
