/* SPDX-License-Identifier: MIT */
/*
 * Do detectors that nobody here wrote, and ours, see each of the 27 NATs as it was declared?
 *
 *     27 homes, a router with another NAT before each -- internet -- natsim's STUN server
 *                                                            `------ coturn's
 *
 * Every home asks both servers with Debian's stun, then with turnutils_natdiscovery,
 * all at the same time. tests/kernel/nft_matrix.c is the same with our own sockets. Then natsim's
 * detector asks each server, one after the other, for it counts the ports that are given out.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "support/natsim.h"

static const char *const dependences[] = {"endpoint-independent", "address-dependent",
					  "address-and-port-dependent"};
static const char *const policies[] = {"preserving", "sequential", "random"};

/* As turnutils_natdiscovery says it. */
static const char *const spoken[] = {"Endpoint Independent", "Address Dependent",
				     "Address and Port Dependent"};

static const char *const servers[] = {"9.9.9.9", "8.8.8.8"};

enum { HOMES = 27, MAPPINGS = 3, FILTERINGS = 3 };

static int mapping_of(int home)
{
	return home % MAPPINGS;
}

static int filtering_of(int home)
{
	return home / MAPPINGS % FILTERINGS;
}

static int policy_of(int home)
{
	return home / (MAPPINGS * FILTERINGS);
}

/*
 * The exit status of stun: 2, 4, 6 for the filterings behind an endpoint-independent
 * mapping, 8 for any other, which it does not tell apart; 1 more when the port is kept;
 * 16 more because nothing hairpins.
 */
static int stun_status(int home)
{
	int verdict = mapping_of(home) == 0 ? 2 * (1 + filtering_of(home)) : 8;

	return 16 + verdict + (policy_of(home) == 0);
}

static void write_nodes(FILE *file)
{
	int home;

	fprintf(file, "name: matrix\n"
		      "networks:\n"
		      "  internet: {type: internet}\n");
	for (home = 0; home < HOMES; home++)
		fprintf(file, "  home%d: {subnet: 192.168.%d.0/24}\n", home, home);
	fprintf(file, "nodes:\n"
		      "  ours: {interfaces: {internet: [9.9.9.9, 9.9.9.10]}}\n"
		      "  coturn: {interfaces: {internet: [8.8.8.8, 8.8.8.9]}}\n");
	for (home = 0; home < HOMES; home++)
		fprintf(file,
			"  router%d:\n"
			"    interfaces: {internet: 1.2.3.%d, home%d: 192.168.%d.254}\n"
			"    nat: {mapping: %s, filtering: %s, ports: %s}\n"
			"  pc%d: {interfaces: {home%d: 192.168.%d.1}}\n",
			home, home + 1, home, home, dependences[mapping_of(home)],
			dependences[filtering_of(home)], policies[policy_of(home)], home, home,
			home);
}

/*
 * turnutils_natdiscovery 4.6.1 sends its third mapping probe to the OTHER-ADDRESS of the
 * second answer, not of the first. coturn gives the same one from all its addresses. From a
 * server that does as RFC 5780 table 1 says, ours, it is the first address again: where
 * the mapping depends on the address alone, the program then takes it for port dependent too.
 */
static const char *mapping_told(int home, int server)
{
	int mapping = mapping_of(home);

	return spoken[mapping == 1 && server == 0 ? 2 : mapping];
}

static const char *filtering_told(int home, int server)
{
	(void)server;
	return spoken[filtering_of(home)];
}

/* turnutils_natdiscovery with one option; a step has no room for both of each home. */
static void write_discovery(FILE *file, const char *option, const char *what,
			    const char *(*told)(int home, int server))
{
	int home, server;

	fprintf(file, "  - run:\n");
	for (home = 0; home < HOMES; home++)
		for (server = 0; server < 2; server++)
			fprintf(file,
				"      - node: pc%d\n"
				"        command: [turnutils_natdiscovery, -%s, %s]\n"
				"        expect: {stdout: 'NAT with %s %s!'}\n",
				home, option, servers[server], told(home, server), what);
}

/* natsim's own detector, with the port allocation. */
static void write_detection(FILE *file, const char *server)
{
	int home;

	fprintf(file, "  - run:\n");
	for (home = 0; home < HOMES; home++)
		fprintf(file,
			"      - node: pc%d\n"
			"        agent: detect\n"
			"        server: %s\n"
			"        allocation: true\n"
			"        expect: {mapping: %s, filtering: %s, allocation: %s}\n",
			home, server, dependences[mapping_of(home)],
			dependences[filtering_of(home)], policies[policy_of(home)]);
}

static void write_steps(FILE *file)
{
	size_t i;

	int home, server;

	fprintf(file, "steps:\n"
		      "  - start: {node: ours, agent: stun-server}\n"
		      "  - start:\n"
		      "      node: coturn\n"
		      "      command: [turnserver, -S, -n, --no-cli, --pidfile, /dev/null, -L, "
		      "8.8.8.8, -L, 8.8.8.9, --log-file, stdout]\n"
		      "      ready: admin thread\n"
		      "  - run:\n");
	for (home = 0; home < HOMES; home++)
		for (server = 0; server < 2; server++)
			fprintf(file,
				"      - {node: pc%d, command: [stun, %s], expect: {exit: %d}}\n",
				home, servers[server], stun_status(home));
	write_discovery(file, "m", "Mapping", mapping_told);
	write_discovery(file, "f", "Filtering", filtering_told);
	for (i = 0; i < sizeof(servers) / sizeof(*servers); i++)
		write_detection(file, servers[i]);
}

Test(matrix, foreign_detectors_and_ours_see_each_of_the_27_nats_as_declared)
{
	struct scratch scratch = scratch_new();
	struct natsim natsim = {0};
	AUTO_FREE char *yaml = NULL;
	AUTO_FREE char *path = NULL;
	size_t length;
	FILE *file = open_memstream(&yaml, &length);

	cr_assert_not_null(file);
	write_nodes(file);
	write_steps(file);
	fclose(file);
	path = scratch_write(&scratch, "matrix.yaml", yaml);
	natsim_run(&natsim, "run", path, NULL);
	cr_expect_eq(natsim.status, 0, "natsim says:\n%s%s", natsim.out, natsim.err);
	natsim_clear(&natsim);
	scratch_free(&scratch);
}
