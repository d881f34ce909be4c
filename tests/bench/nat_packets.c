/* SPDX-License-Identifier: MIT */
/*
 * How many small packets a second cross a NAT, beside plain masquerade?
 *
 *     bench_nat_packets [ROUNDS]
 *
 * 64 bytes of UDP payload, both ways alternately, between the same two veths: the rules
 * of the router are exchanged between rounds, the NAT's and the masquerade's in turn. One thread
 * sends and receives, so a packet's whole way happens in the sender's own calls, and the time is
 * that thread's; none may be lost. What the kernel does in its own time about rules that are gone
 * disturbs the next ones, and a busy flow has yet to become known (nft-rules/known.c), so the
 * first part of a round is not counted. The rest is cut into spells
 * of two milliseconds, and what is compared is the lower quartile of all spells of each side:
 * what else the machine does makes spells longer, never shorter. Prints one JSON object a
 * line (ratio: 1 is as fast as masquerade, less is slower).
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/median.h"
#include "bench/nat_bed.h"
#include "lab/lab.h"

enum {
	ROUNDS_DEFAULT = 21,
	ROUNDS_MAX = 500,
	BURST = 32,
	WARM_UP = 500,
	SPELLS = 48,
	SPELL_BURSTS = 5,
	PAYLOAD = 64
};

static const char *const kinds[] = {"full-cone", "restricted-cone", "port-restricted-cone",
				    "symmetric"};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* What the spells of one side's rounds took, in nanoseconds. */
struct side {
	double spells[ROUNDS_MAX * SPELLS];
	size_t count;
};

struct bench {
	size_t rounds;
	uint16_t port;
};

static int pass_burst(int from, int to)
{
	char payload[PAYLOAD] = {0};
	int i;

	for (i = 0; i < BURST; i++)
		if (send(from, payload, PAYLOAD, 0) != PAYLOAD)
			return -EIO;
	for (i = 0; i < BURST; i++)
		if (recv(to, payload, PAYLOAD, MSG_DONTWAIT) != PAYLOAD)
			return -EIO;
	return 0;
}

/* Both ends know each other's address as the wire has it. */
static int meet(int inside, int outside, uint16_t server)
{
	struct sockaddr_in address = nat_bed_address(NAT_OUTSIDE, server);
	socklen_t size = sizeof(address);
	char byte = 0;

	if (connect(inside, (struct sockaddr *)&address, size) < 0 ||
	    send(inside, &byte, 1, 0) < 0 ||
	    recvfrom(outside, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&address, &size) < 0 ||
	    connect(outside, (struct sockaddr *)&address, size) < 0)
		return -errno;
	return 0;
}

/* Of this thread, in nanoseconds: what others on the machine do is not in it. */
static uint64_t own_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Both ways, @bursts times. */
static int pass(int inside, int outside, int bursts)
{
	int i, r = 0;

	for (i = 0; r == 0 && i < bursts; i++) {
		r = pass_burst(inside, outside);
		if (r == 0)
			r = pass_burst(outside, inside);
	}
	return r;
}

/* A round through the rules of @nat, on a flow that is new. */
static int measure(struct bench *bench, struct nat_bed *bed, const struct nat *nat,
		   struct side *side, struct diag *d)
{
	int r = nat_bed_install(bed, nat, d);
	uint16_t port = (uint16_t)(2000 + bench->port++ % 50000);
	AUTO_CLOSE int inside = nat_bed_socket(bed, NAT_INSIDE, SOCK_DGRAM, port);
	AUTO_CLOSE int outside = nat_bed_socket(bed, NAT_OUTSIDE, SOCK_DGRAM, port);
	uint64_t begin;
	int i;

	if (r < 0)
		return r;
	if (inside < 0 || outside < 0 || (r = meet(inside, outside, port)) < 0)
		return diag_system(d, r < 0 ? -r : EIO, "cannot open a flow");
	r = pass(inside, outside, WARM_UP);
	for (i = 0; r == 0 && i < SPELLS; i++) {
		begin = own_time();
		r = pass(inside, outside, SPELL_BURSTS);
		side->spells[side->count++] = (double)(own_time() - begin);
	}
	return r < 0 ? diag_error(d, -r, "a packet was lost") : 0;
}

/* Packets a second, of the spell that is longer than a quarter of them. */
static double rate(struct side *side)
{
	qsort(side->spells, side->count, sizeof(side->spells[0]), median_compare);
	return 2.0 * BURST * SPELL_BURSTS * 1e9 / side->spells[side->count / 4];
}

static int compare_kind(struct bench *bench, struct nat_bed *bed, const char *kind, struct diag *d)
{
	static struct side ours, plain;
	size_t i;
	int r = 0;

	ours.count = plain.count = 0;
	for (i = 0; r == 0 && i < bench->rounds; i++) {
		r = measure(bench, bed, NULL, &plain, d);
		if (r == 0)
			r = measure(bench, bed, &nat_find(kind)->nat, &ours, d);
	}
	if (r < 0)
		return r;
	printf("{\"nat\": \"%s\", \"packets_per_s\": %.0f, \"masquerade\": %.0f, \"ratio\": "
	       "%.3f}\n",
	       kind, rate(&ours), rate(&plain), rate(&ours) / rate(&plain));
	return 0;
}

/* A packet that changes its processor waits for the other one. */
static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int work(void *data)
{
	struct bench *bench = data;
	AUTO_DIAG struct diag d = {0};
	struct nat_bed bed;
	size_t kind;
	int r;

	pin();
	r = nat_bed_new(&bed, &d);
	for (kind = 0; r == 0 && kind < KINDS; kind++)
		r = compare_kind(bench, &bed, kinds[kind], &d);
	if (r < 0)
		diag_print(&d, stderr, false);
	fflush(stdout);
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
