/* SPDX-License-Identifier: MIT */
/* Two processors, two hosts, one port: the claim has one winner, however close the race. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/natbed.h"

enum { RUNNERS = 2, FIRST_PORT = 10000, ROUNDS = 2000, BATCH = 50 };

struct race {
	atomic_uint arrived; /* runners at the line, counted over all rounds */
	bool same_host;      /* both run for one socket, towards two servers */
};

struct runner {
	struct race *race;
	unsigned int number;
	int raw; /* UDP by hand: any source port without a socket for each */
	unsigned int first, last;
	int error;
};

/* What a runner says, so that the far end knows who spoke. */
struct word {
	struct udphdr udp;
	uint16_t runner, port;
};

static int say(const struct runner *runner, uint16_t port)
{
	struct endpoint to = {.port = 0};
	struct sockaddr_storage address;
	struct word word = {.runner = (uint16_t)runner->number, .port = port};
	socklen_t length;

	addr_parse(runner->race->same_host && runner->number ? "9.9.9.10" : "9.9.9.9", &to.addr);
	word.udp.source = htons(port);
	word.udp.dest = htons(1000);
	word.udp.len = htons(sizeof(word));
	length = endpoint_to_sockaddr(&to, &address);
	return sendto(runner->raw, &word, sizeof(word), 0, (struct sockaddr *)&address, length) < 0
		       ? -errno
		       : 0;
}

static void *run(void *data)
{
	struct runner *runner = data;
	unsigned int port, line;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(runner->number, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set); /* without: still a race */
	for (port = runner->first; port < runner->last; port++) {
		line = atomic_fetch_add(&runner->race->arrived, 1) / RUNNERS;
		while (atomic_load(&runner->race->arrived) < (line + 1) * RUNNERS)
			sched_yield();
		if (!runner->error)
			runner->error = say(runner, (uint16_t)port);
	}
	return NULL;
}

static void take_words(int fd, uint16_t seen[RUNNERS][ROUNDS], unsigned int *ret_count)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	struct endpoint from;
	uint16_t text[2];

	while (recvfrom(fd, text, sizeof(text), MSG_DONTWAIT, (struct sockaddr *)&address, &size) ==
	       sizeof(text)) {
		endpoint_from_sockaddr(&address, &from);
		seen[text[0]][text[1] - FIRST_PORT] = from.port;
		(*ret_count)++;
	}
}

/* Let both run ROUNDS times; what port each round of each runner left by. */
static void hold_race(const struct nat *nat, bool same_host, uint16_t seen[RUNNERS][ROUNDS])
{
	AUTO_NATBED struct natbed bed = natbed_open(nat);
	int near = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int far = bed_udp(&bed, BED_OUTSIDE, "9.9.9.10:1000");
	struct race race = {.same_host = same_host};
	struct runner runners[RUNNERS];
	pthread_t threads[RUNNERS];
	unsigned int first, i, count = 0;
	struct endpoint local = {.port = 0};
	struct sockaddr_storage address;

	natbed_unpin();
	for (i = 0; i < RUNNERS; i++) {
		runners[i] = (struct runner){.race = &race, .number = i};
		runners[i].raw = netns_socket(bed.side[BED_INSIDE], AF_INET, SOCK_RAW, IPPROTO_UDP);
		cr_assert(runners[i].raw >= 0);
		addr_parse(i && !same_host ? "192.168.1.2" : "192.168.1.1", &local.addr);
		cr_assert(bind(runners[i].raw, (struct sockaddr *)&address,
			       endpoint_to_sockaddr(&local, &address)) == 0);
	}
	for (first = FIRST_PORT; first < FIRST_PORT + ROUNDS; first += BATCH) {
		for (i = 0; i < RUNNERS; i++) {
			runners[i].first = first;
			runners[i].last = first + BATCH;
			cr_assert(pthread_create(&threads[i], NULL, run, &runners[i]) == 0);
		}
		for (i = 0; i < RUNNERS; i++) {
			pthread_join(threads[i], NULL);
			cr_assert(runners[i].error == 0, "a runner: %s",
				  strerror(-runners[i].error));
		}
		take_words(near, seen, &count);
		take_words(far, seen, &count);
	}
	natbed_settle(&bed);
	take_words(near, seen, &count);
	take_words(far, seen, &count);
	cr_assert(count == RUNNERS * ROUNDS, "%u of %d words arrived", count, RUNNERS * ROUNDS);
	for (i = 0; i < RUNNERS; i++)
		close(runners[i].raw);
	close(near);
	close(far);
}

Test(race, two_hosts_never_leave_by_one_port)
{
	const struct nat nat = bed_nat("full-cone");
	static uint16_t seen[RUNNERS][ROUNDS];
	static bool used[65536];
	unsigned int i, runner, port, kept = 0;

	hold_race(&nat, false, seen);
	for (i = 0; i < ROUNDS; i++) {
		for (runner = 0; runner < RUNNERS; runner++) {
			port = seen[runner][i];
			cr_assert(!used[port], "port %u has two holders", port);
			used[port] = true;
			kept += port == FIRST_PORT + i;
		}
	}
	/* A loser's random port may have been a later winner's own: then nobody keeps that one. */
	cr_assert(kept > ROUNDS * 9 / 10, "only %u of %d races had a winner", kept, ROUNDS);
}

Test(race, one_socket_keeps_its_port_towards_two_servers)
{
	const struct nat nat = bed_nat("full-cone");
	static uint16_t seen[RUNNERS][ROUNDS];
	unsigned int i;

	hold_race(&nat, true, seen);
	for (i = 0; i < ROUNDS; i++)
		cr_assert(seen[0][i] == seen[1][i] && seen[0][i] == FIRST_PORT + i,
			  "port %u became %u and %u", FIRST_PORT + i, seen[0][i], seen[1][i]);
}

/* Both packets draw a port, and both may win theirs: one mapping must come of it. */
Test(race, one_socket_gets_one_random_port_towards_two_servers)
{
	struct nat nat = bed_nat("full-cone");
	static uint16_t seen[RUNNERS][ROUNDS];
	unsigned int i;

	nat.ports.allocation = PORTS_RANDOM;
	hold_race(&nat, true, seen);
	for (i = 0; i < ROUNDS; i++)
		cr_assert(seen[0][i] == seen[1][i], "port %u became %u and %u", FIRST_PORT + i,
			  seen[0][i], seen[1][i]);
}
