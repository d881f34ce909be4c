/* SPDX-License-Identifier: MIT */
/*
 * What iperf3 measures through each NAT, beside plain masquerade.
 *
 *     bench_nat_iperf3 [ROUNDS]
 *
 * A second of TCP, then of UDP with 64 bytes a datagram as fast as they go, between the
 * same two veths; the rules are exchanged between runs, and every NAT's run lies between
 * two of the masquerade's, with whose mean it is compared. For UDP the datagrams that
 * were sent count: on veths their whole way lies in the sender's own call, and only
 * the receiver's socket loses any. Prints one JSON object a line: medians.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/median.h"
#include "bench/nat_bed.h"
#include "lab/lab.h"

enum { ROUNDS_DEFAULT = 3, ROUNDS_MAX = 50 };

static const char *const kinds[] = {"full-cone", "restricted-cone", "port-restricted-cone",
				    "symmetric"};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

enum traffic { TCP, UDP, TRAFFICS };

static const char *const server_words[] = {"iperf3", "-s", "--forceflush", NULL};
static const char *const client_words[TRAFFICS][16] = {
	[TCP] = {"iperf3", "-J", "-t", "1", "-c", "9.9.9.9", NULL},
	[UDP] = {"iperf3", "-J", "-t", "1", "-c", "9.9.9.9", "-u", "-b", "0", "-l", "64", NULL},
};

/* Start a program in a namespace; its output is what *ret_out reads. */
static pid_t start(const struct netns *netns, const char *const words[], FILE **ret_out)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		if (setns(netns->fd, CLONE_NEWNET) == 0)
			execvp(words[0], (char *const *)words);
		_exit(127);
	}
	close(ends[1]);
	*ret_out = fdopen(ends[0], "r");
	return *ret_out ? pid : -1;
}

static int start_server(struct nat_bed *bed, FILE **ret_out)
{
	char line[256];

	if (start(bed->side[NAT_OUTSIDE], server_words, ret_out) < 0)
		return -EIO;
	while (fgets(line, sizeof(line), *ret_out))
		if (strstr(line, "listening"))
			return 0;
	return -ENOENT;
}

/* Bits, or datagrams, a second. */
static double figure(enum traffic traffic, const json_t *json)
{
	const json_t *end = json_object_get(json, "end");
	const json_t *sum = json_object_get(end, traffic == TCP ? "sum_received" : "sum");

	if (traffic == TCP)
		return json_number_value(json_object_get(sum, "bits_per_second"));
	return json_number_value(json_object_get(sum, "packets")) /
	       json_number_value(json_object_get(sum, "seconds"));
}

static int measure(struct nat_bed *bed, const struct nat *nat, enum traffic traffic, double *ret,
		   struct diag *d)
{
	AUTO_FCLOSE FILE *out = NULL;
	json_t *json;
	int status, r = nat_bed_install(bed, nat, d);
	pid_t pid;

	if (r < 0)
		return r;
	pid = start(bed->side[NAT_INSIDE], client_words[traffic], &out);
	if (pid < 0)
		return diag_system(d, EIO, "cannot start iperf3");
	json = json_loadf(out, 0, NULL);
	waitpid(pid, &status, 0);
	*ret = figure(traffic, json);
	json_decref(json);
	return *ret > 0 ? 0 : diag_error(d, EIO, "iperf3 gives no figure");
}

static int compare(struct nat_bed *bed, const char *kind, size_t rounds, enum traffic traffic,
		   double *ret_plain, double *ret_ratio, struct diag *d)
{
	const struct nat *nat = &nat_find(kind)->nat;
	double ratios[ROUNDS_MAX], plain[ROUNDS_MAX + 1], ours = 0;
	int r = measure(bed, NULL, traffic, &plain[0], d);
	size_t i;

	for (i = 0; r == 0 && i < rounds; i++) {
		r = measure(bed, nat, traffic, &ours, d);
		if (r == 0)
			r = measure(bed, NULL, traffic, &plain[i + 1], d);
		ratios[i] = 2 * ours / (plain[i] + plain[i + 1]);
	}
	if (r < 0)
		return r;
	*ret_plain = median(plain, rounds + 1);
	*ret_ratio = median(ratios, rounds);
	return 0;
}

static int work(void *data)
{
	double plain[TRAFFICS], ratio[TRAFFICS];
	AUTO_DIAG struct diag d = {0};
	AUTO_FCLOSE FILE *server = NULL;
	size_t kind, rounds = *(size_t *)data;
	struct nat_bed bed;
	int traffic, r = nat_bed_new(&bed, &d);

	if (r == 0 && (r = start_server(&bed, &server)) < 0)
		diag_system(&d, -r, "cannot start iperf3");
	for (kind = 0; r == 0 && kind < KINDS; kind++) {
		for (traffic = 0; r == 0 && traffic < TRAFFICS; traffic++)
			r = compare(&bed, kinds[kind], rounds, (enum traffic)traffic,
				    &plain[traffic], &ratio[traffic], &d);
		if (r == 0)
			printf("{\"nat\": \"%s\", \"tcp_gbit\": %.1f, \"tcp_ratio\": %.3f, "
			       "\"udp_per_s\": %.0f, \"udp_ratio\": %.3f}\n",
			       kinds[kind], plain[TCP] / 1e9, ratio[TCP], plain[UDP], ratio[UDP]);
	}
	if (r < 0)
		diag_print(&d, stderr, false);
	fflush(stdout);
	return r < 0;
}

int main(int argc, char **argv)
{
	size_t rounds = argc == 2 ? (size_t)strtoul(argv[1], NULL, 10) : ROUNDS_DEFAULT;
	AUTO_DIAG struct diag d = {0};
	int r;

	if (argc > 2 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: %s [ROUNDS, at most %d]\n", argv[0], ROUNDS_MAX);
		return 2;
	}
	r = lab_supervise(work, &rounds, &d);
	diag_print(&d, stderr, false);
	return r < 0 ? 1 : r;
}
