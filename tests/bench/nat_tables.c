/* SPDX-License-Identifier: MIT */
/*
 * What do a NAT's rules and mappings cost?
 *
 *     bench_nat_tables install|mappings
 *
 * install: milliseconds from a declared NAT to rules in force, building them included: the
 * slowest of the four classics, of all named NATs, and an arbitrary pool of 16 addresses.
 * mappings: how long a new mapping takes (a datagram from a port that has none, to its
 * arrival) while there are few and while there are 10,000, in turn; and the kernel
 * memory of 10,000 of them, beside what conntrack alone takes for as many flows.
 *
 * Prints one JSON object.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/median.h"
#include "bench/nat_bed.h"
#include "lab/lab.h"

enum {
	SERVER_PORT = 1000,
	FIRST_PORT = 10000,
	LIVE = 10000,
	BATCH = 500,
	ROUNDS = 31,
	INSTALLS = 51,
	BEDS = 3
};

static const char *const kinds[] = {"full-cone", "restricted-cone", "port-restricted-cone",
				    "symmetric"};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* A datagram each from @count ports, beginning with @first; microseconds for one. */
static int open_mappings(struct nat_bed *bed, uint16_t first, int count, double *ret_us)
{
	const struct sockaddr_in server = nat_bed_address(NAT_OUTSIDE, SERVER_PORT);
	AUTO_CLOSE int outside = nat_bed_socket(bed, NAT_OUTSIDE, SOCK_DGRAM, SERVER_PORT);
	uint64_t begin, spent = 0;
	char byte = 0;
	int i, fd;

	if (outside < 0)
		return outside;
	for (i = 0; i < count; i++) {
		fd = nat_bed_socket(bed, NAT_INSIDE, SOCK_DGRAM, (uint16_t)(first + i));
		if (fd < 0)
			return fd;
		begin = lab_clock();
		if (sendto(fd, &byte, 1, 0, (const struct sockaddr *)&server, sizeof(server)) < 0 ||
		    recv(outside, &byte, 1, MSG_DONTWAIT) < 0) {
			close(fd);
			return -EIO;
		}
		spent += lab_clock() - begin;
		close(fd);
	}
	*ret_us = (double)spent / 1e3 / count;
	return 0;
}

/* New rules and an empty conntrack, @live mappings, and then what @BATCH more take. */
static int measure(struct nat_bed *bed, const struct nat *nat, int live, double *ret_us,
		   struct diag *d)
{
	double ignored;
	int r = nat_bed_install(bed, nat, d);

	if (r == 0)
		r = nat_bed_forget(bed, d);
	if (r < 0)
		return r;
	r = open_mappings(bed, FIRST_PORT, live, &ignored);
	if (r == 0)
		r = open_mappings(bed, (uint16_t)(FIRST_PORT + live), BATCH, ret_us);
	return r < 0 ? diag_system(d, -r, "cannot open a mapping") : 0;
}

static int compare_mappings(struct nat_bed *bed, struct diag *d)
{
	const struct nat *nat = &nat_find("port-restricted-cone")->nat;
	double few[ROUNDS], many[ROUNDS], ratios[ROUNDS];
	int i, r = 0;

	for (i = 0; r == 0 && i < ROUNDS; i++) {
		r = measure(bed, nat, BATCH, &few[i], d);
		if (r == 0)
			r = measure(bed, nat, LIVE, &many[i], d);
		ratios[i] = many[i] / few[i];
	}
	if (r < 0)
		return r;
	printf("\"few_us\": %.2f, \"many_us\": %.2f, \"ratio\": %.3f}\n", median(few, ROUNDS),
	       median(many, ROUNDS), median(ratios, ROUNDS));
	return 0;
}

/* KiB of the kernel's own small objects, of this whole machine. */
static long slab_kib(void)
{
	AUTO_FCLOSE FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	long kib = -1;

	while (file && kib < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "Slab: %ld kB", &kib) == 1)
			break;
	return kib;
}

/*
 * Bytes of one mapping under the rules of @nat. Nothing is given back meanwhile: the
 * kernel would do that in its own time, and the sum would be of both.
 */
static int take_memory(struct nat_bed *bed, const struct nat *nat, uint16_t first, double *ret,
		       struct diag *d)
{
	double ignored;
	long before;
	int r = nat_bed_install(bed, nat, d);

	if (r < 0)
		return r;
	before = slab_kib();
	r = open_mappings(bed, first, LIVE, &ignored);
	*ret = (double)(slab_kib() - before) * 1024 / LIVE;
	return r < 0 ? diag_system(d, -r, "cannot open a mapping") : 0;
}

static int compare_memory(struct diag *d)
{
	const struct nat *nat = &nat_find("port-restricted-cone")->nat;
	double ours[BEDS], plain[BEDS];
	struct nat_bed bed;
	int i, r = 0;

	for (i = 0; r == 0 && i < BEDS; i++) {
		r = nat_bed_new(&bed, d);
		if (r == 0)
			r = take_memory(&bed, NULL, FIRST_PORT, &plain[i], d);
		if (r == 0)
			r = take_memory(&bed, nat, FIRST_PORT + LIVE, &ours[i], d);
	}
	if (r < 0)
		return r;
	printf("\"bytes\": %.0f, \"masquerade_bytes\": %.0f, ", median(ours, BEDS),
	       median(plain, BEDS));
	return 0;
}

static int bench_mappings(struct nat_bed *bed, struct diag *d)
{
	int r;

	printf("{");
	r = compare_memory(d);
	return r < 0 ? r : compare_mappings(bed, d);
}

enum { NAMES_MAX = 64 };

/* The slowest of those that have a name, and of the classics among them. */
static void tell_slowest(double spent[NAMES_MAX][INSTALLS], double *ret_classic, double *ret_named,
			 const char **ret_slowest)
{
	double middle;
	size_t name, kind;

	*ret_classic = *ret_named = 0;
	for (name = 0; name < nat_names_count; name++) {
		middle = median(spent[name], INSTALLS);
		for (kind = 0; kind < KINDS; kind++)
			if (strcmp(kinds[kind], nat_names[name].nat.name) == 0 &&
			    middle > *ret_classic)
				*ret_classic = middle;
		if (middle <= *ret_named)
			continue;
		*ret_named = middle;
		*ret_slowest = nat_names[name].nat.name;
	}
}

/* All in turn, so that no one of them meets the machine in a worse mood than the others. */
static int bench_install(struct nat_bed *bed, struct diag *d)
{
	static double spent[NAMES_MAX][INSTALLS], pooled[INSTALLS];
	struct nat pool = nat_default();
	const char *slowest = "";
	double classic, named;
	size_t name, i;
	int r = 0;

	pool.pooling = POOLING_ARBITRARY;
	for (i = 0; r == 0 && i < INSTALLS; i++) {
		for (name = 0; r == 0 && name < nat_names_count && name < NAMES_MAX; name++)
			r = nat_bed_time_install(bed, &nat_names[name].nat, 1, &spent[name][i], d);
		if (r == 0)
			r = nat_bed_time_install(bed, &pool, NAT_POOL_MAX, &pooled[i], d);
	}
	if (r < 0)
		return r;
	tell_slowest(spent, &classic, &named, &slowest);
	printf("{\"rounds\": %d, \"install_ms\": %.3f, \"named_ms\": %.3f, "
	       "\"slowest\": \"%s\", \"pool_ms\": %.3f}\n",
	       INSTALLS, classic, named, slowest, median(pooled, INSTALLS));
	return 0;
}

static int work(void *data)
{
	AUTO_DIAG struct diag d = {0};
	const char *what = data;
	struct nat_bed bed, other;
	cpu_set_t set;
	int r;

	/* A packet that changes its processor waits for the other one. */
	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
	/* The kernel patches its code for the first rules of all, at each hook (28 us); the other
	 * router's stay, and are at all that there are. */
	r = nat_bed_new(&other, &d);
	if (r == 0)
		r = nat_bed_install(&other, &nat_find("rfc6888-cgn")->nat, &d);
	if (r == 0)
		r = nat_bed_new(&bed, &d);
	if (r == 0)
		r = strcmp(what, "install") == 0 ? bench_install(&bed, &d)
						 : bench_mappings(&bed, &d);
	if (r < 0)
		diag_print(&d, stderr, false);
	fflush(stdout);
	return r < 0;
}

int main(int argc, char **argv)
{
	AUTO_DIAG struct diag d = {0};
	int r;

	if (argc != 2 || (strcmp(argv[1], "install") && strcmp(argv[1], "mappings"))) {
		fprintf(stderr, "usage: %s install|mappings\n", argv[0]);
		return 2;
	}
	r = lab_supervise(work, argv[1], &d);
	diag_print(&d, stderr, false);
	return r < 0 ? 1 : r;
}
