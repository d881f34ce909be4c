/* SPDX-License-Identifier: MIT */
/*
 * How much dearer is natsim's lab than the floor?
 *
 *     bench_build_lab TOPOLOGY [ROUNDS]
 *
 * Builds the floor and the lab of double-nat in turn, so that both meet the same
 * machine, and keeps all of them until the end: the kernel takes dead namespaces apart in
 * the background, and whoever builds meanwhile waits for its locks. Prints one JSON
 * object: the median milliseconds of each and their ratio.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/diag.h"
#include "bench/floor.h"
#include "lab/lab.h"
#include "plan/plan.h"
#include "topo/topo.h"

enum { ROUNDS_DEFAULT = 15, ROUNDS_MAX = 200 };

struct bench {
	const char *path;
	size_t rounds;
	double floor_ms[ROUNDS_MAX], lab_ms[ROUNDS_MAX];
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

static int round_once(struct bench *bench, size_t i, int home, const struct topo *topo,
		      struct diag *d)
{
	struct floor_lab floor_lab;
	struct plan *plan;
	struct lab *lab;
	uint64_t begin = lab_clock(), middle;
	int r = floor_build(home, &floor_lab);

	if (r < 0)
		return diag_system(d, -r, "cannot build the floor");
	middle = lab_clock();
	bench->floor_ms[i] = (double)(middle - begin) / 1e6;
	r = plan_make(topo, &plan);
	if (r == 0)
		r = lab_up(topo, plan, NULL, &lab, d);
	bench->lab_ms[i] = (double)(lab_clock() - middle) / 1e6;
	return r;
}

static int work(void *data)
{
	CLEANUP(topo_free_cleanup) struct topo *topo = NULL;
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct bench *bench = data;
	AUTO_DIAG struct diag d = {0};
	double floor_ms, lab_ms;
	size_t i;
	int r = topo_load(bench->path, &topo, &d);

	for (i = 0; r == 0 && i < bench->rounds; i++)
		r = round_once(bench, i, home, topo, &d);
	close(home);
	if (r < 0) {
		diag_print(&d, stderr, false);
		return 1;
	}
	floor_ms = median(bench->floor_ms, bench->rounds);
	lab_ms = median(bench->lab_ms, bench->rounds);
	printf("{\"rounds\": %zu, \"floor_ms\": %.3f, \"lab_ms\": %.3f, \"ratio\": %.3f}\n",
	       bench->rounds, floor_ms, lab_ms, lab_ms / floor_ms);
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
