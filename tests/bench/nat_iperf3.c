/* SPDX-License-Identifier: MIT */
/*
 * What iperf3 measures through each NAT, beside plain masquerade.
 *
 *     bench_nat_iperf3 [ROUNDS]
 *
 * TCP, and UDP with 64 bytes a datagram as fast as they go, between the same two veths; the rules
 * of the router are exchanged between runs. A round has masquerade, each NAT, and masquerade once
 * more, the control: how far that is from 1 is how far the others may be wrong. What is
 * compared is a round's runs with each other, and what counts is the median of all rounds. Prints
 * one JSON object a line; "masquerade" is the control.
 *
 * Left to itself, iperf3 over TCP scatters by a third from run to run whatever the rules are.
 * What was seen to help, on a machine of two processors:
 *
 *  - Reno, not the machine's choice. BBR was half as fast, its runs differed by a tenth, and it
 * sent a thousand segments a second again although none was lost on the way.
 *  - The sender's buffer bounds what is under way, the receiver's window never does: no segment
 *    is sent again any more.
 *  - Both programs on one processor: a router's work cannot hide behind a program's waiting. For
 * TCP neither takes it from the other before that waits (SCHED_BATCH), which made little
 * difference; for UDP, where the receiver would lose most, it may.
 *  - Many short runs instead of a few long ones, in an order by chance: the machine's mood
 *    changes within seconds. UDP's last long enough for the flow to become known
 *    (nft-rules/known.c), which takes the first fifth of each.
 *  - Processor time instead of the clock's, since others may be at work on the machine. It is what
 *    iperf3 says it used at both ends; for UDP at the sender's, because on veths a datagram's
 *    whole way lies in the sender's own call, and only the receiver's socket loses any.
 *
 * On a quiet machine the control is within a hundredth for TCP and two for UDP; beside other work
 * it was 0.98 to 1.06.
 *
 * So the figures are bits, or datagrams, a second of processor time.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/median.h"
#include "bench/nat_bed.h"
#include "lab/lab.h"

enum { ROUNDS_DEFAULT = 14, ROUNDS_MAX = 500, TRIES = 3 };

/* Two have no NAT: what all are compared with, and the control. */
static const char *const kinds[] = {
	NULL, "full-cone", "restricted-cone", NULL, "port-restricted-cone", "symmetric"};
enum { PLAIN = 0, CONTROL = 3, KINDS = sizeof(kinds) / sizeof(kinds[0]) };

enum traffic { TCP, UDP, TRAFFICS };

static const int policies[TRAFFICS] = {[TCP] = SCHED_BATCH, [UDP] = SCHED_OTHER};

static const char *const server_words[] = {"iperf3", "-s", "-1", "--forceflush", NULL};
static const char *const client_words[TRAFFICS][20] = {
	[TCP] = {"timeout", "20", "iperf3", "-J", "-i", "0", "-c", "9.9.9.9", "-n", "400M", "-C",
		 "reno", NULL},
	[UDP] = {"timeout", "20", "iperf3", "-J", "-i", "0", "-c", "9.9.9.9", "-k", "60000", "-u",
		 "-b", "0", "-l", "64", NULL},
};

struct bench {
	size_t rounds;
	struct nat_bed bed;
	double figures[TRAFFICS][KINDS][ROUNDS_MAX];
};

/* What is under way fits into the caches, and into the receiver's window by far. */
static int bound_window(struct nat_bed *bed, struct diag *d)
{
	int r = netns_sysctl(bed->side[NAT_INSIDE], "net/ipv4/tcp_wmem", "4096 524288 524288");

	if (r == 0)
		r = netns_sysctl(bed->side[NAT_OUTSIDE], "net/ipv4/tcp_rmem",
				 "4096 8388608 8388608");
	return r < 0 ? diag_system(d, -r, "cannot bound TCP's buffers") : 0;
}

/* This process, and what it starts from now on, stays where it is. */
static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

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

static pid_t start_server(struct nat_bed *bed, FILE **ret_out, struct diag *d)
{
	pid_t pid = start(bed->side[NAT_OUTSIDE], server_words, ret_out);
	char line[256];

	while (pid > 0 && fgets(line, sizeof(line), *ret_out))
		if (strstr(line, "listening"))
			return pid;
	return diag_system(d, EIO, "cannot start iperf3");
}

static double number(const json_t *end, const char *object, const char *key)
{
	return json_number_value(json_object_get(json_object_get(end, object), key));
}

/* Bits, or datagrams, a second of processor time. */
static double figure(enum traffic traffic, const json_t *end)
{
	double sender = number(end, "cpu_utilization_percent", "host_total") / 100;
	double receiver = number(end, "cpu_utilization_percent", "remote_total") / 100;

	if (traffic == TCP)
		return number(end, "sum_received", "bits_per_second") / (sender + receiver);
	return number(end, "sum", "packets") / number(end, "sum", "seconds") / sender;
}

/*
 * A run has a server of its own: what it says without being read fits into the pipe. Twice in
 * some thousand runs iperf3 did not end, why is not known: then *ret is 0, and it is tried again.
 */
static int run_once(struct nat_bed *bed, const struct nat *nat, enum traffic traffic, double *ret,
		    struct diag *d)
{
	AUTO_FCLOSE FILE *server_out = NULL, *out = NULL;
	pid_t server, client;
	json_t *json;
	int r = nat_bed_install(bed, nat, d);

	if (r < 0)
		return r;
	server = start_server(bed, &server_out, d);
	if (server < 0)
		return server;
	client = start(bed->side[NAT_INSIDE], client_words[traffic], &out);
	if (client < 0)
		return diag_system(d, EIO, "cannot start iperf3");
	json = json_loadf(out, 0, NULL);
	waitpid(client, NULL, 0);
	*ret = json ? figure(traffic, json_object_get(json, "end")) : 0;
	json_decref(json);
	if (!(*ret > 0)) {
		*ret = 0;
		kill(server, SIGKILL);
	}
	waitpid(server, NULL, 0);
	return 0;
}

static int measure(struct nat_bed *bed, const struct nat *nat, enum traffic traffic, double *ret,
		   struct diag *d)
{
	int tries, r = 0;

	*ret = 0;
	for (tries = 0; r == 0 && *ret == 0 && tries < TRIES; tries++)
		r = run_once(bed, nat, traffic, ret, d);
	if (r == 0 && *ret == 0)
		return diag_error(d, EIO, "iperf3 gives no figure");
	return r;
}

/* The order of a round, by chance: what a run suffers from the one before it favours nobody. */
static void shuffle(size_t order[KINDS])
{
	size_t i, j, other;

	for (i = 0; i < KINDS; i++) {
		j = (size_t)rand() % (i + 1);
		other = order[j];
		order[j] = i;
		if (j < i)
			order[i] = other;
	}
}

static int measure_all(struct bench *bench, enum traffic traffic, struct diag *d)
{
	const struct sched_param param = {0};
	size_t round, i, kind, order[KINDS] = {0};
	int r = 0;

	if (sched_setscheduler(0, policies[traffic], &param) < 0)
		return diag_system(d, errno, "cannot change the scheduling policy");
	for (round = 0; r == 0 && round < bench->rounds; round++) {
		shuffle(order);
		for (i = 0; r == 0 && i < KINDS; i++) {
			kind = order[i];
			r = measure(&bench->bed, kinds[kind] ? &nat_find(kinds[kind])->nat : NULL,
				    traffic, &bench->figures[traffic][kind][round], d);
		}
	}
	return r;
}

static double ratio(struct bench *bench, enum traffic traffic, size_t kind)
{
	const double *ours = bench->figures[traffic][kind];
	const double *plain = bench->figures[traffic][PLAIN];
	double ratios[ROUNDS_MAX];
	size_t i;

	for (i = 0; i < bench->rounds; i++)
		ratios[i] = ours[i] / plain[i];
	return median(ratios, bench->rounds);
}

static void print(struct bench *bench)
{
	double ratios[TRAFFICS][KINDS];
	size_t kind;

	for (kind = PLAIN + 1; kind < KINDS; kind++) {
		ratios[TCP][kind] = ratio(bench, TCP, kind);
		ratios[UDP][kind] = ratio(bench, UDP, kind);
	}
	for (kind = PLAIN + 1; kind < KINDS; kind++)
		printf("{\"nat\": \"%s\", \"tcp_gbit\": %.1f, \"tcp_ratio\": %.3f, "
		       "\"udp_per_s\": %.0f, \"udp_ratio\": %.3f}\n",
		       kinds[kind] ? kinds[kind] : "masquerade",
		       median(bench->figures[TCP][PLAIN], bench->rounds) / 1e9, ratios[TCP][kind],
		       median(bench->figures[UDP][PLAIN], bench->rounds), ratios[UDP][kind]);
	fflush(stdout);
}

static int work(void *data)
{
	struct bench *bench = data;
	AUTO_DIAG struct diag d = {0};
	int traffic, r;

	pin();
	r = nat_bed_new(&bench->bed, &d);
	if (r == 0)
		r = bound_window(&bench->bed, &d);
	for (traffic = 0; r == 0 && traffic < TRAFFICS; traffic++)
		r = measure_all(bench, (enum traffic)traffic, &d);
	if (r == 0)
		print(bench);
	else
		diag_print(&d, stderr, false);
	return r < 0;
}

int main(int argc, char **argv)
{
	static struct bench bench = {.rounds = ROUNDS_DEFAULT};
	AUTO_DIAG struct diag d = {0};
	int r;

	if (argc == 2)
		bench.rounds = (size_t)strtoul(argv[1], NULL, 10);
	if (argc > 2 || bench.rounds < 1 || bench.rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: %s [ROUNDS, at most %d]\n", argv[0], ROUNDS_MAX);
		return 2;
	}
	r = lab_supervise(work, &bench, &d);
	diag_print(&d, stderr, false);
	return r < 0 ? 1 : r;
}
