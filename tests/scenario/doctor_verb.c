/* SPDX-License-Identifier: MIT */
/* natsim doctor: what it says of this machine, and of one that forbids namespaces. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support/must_run.h"
#include "support/natsim.h"

#define AUTO_NATSIM CLEANUP(natsim_clear)

Test(doctor, on_a_good_machine_every_check_is_ok, .timeout = 60)
{
	AUTO_NATSIM struct natsim natsim = {0};

	natsim_run(&natsim, "doctor", NULL);
	cr_expect_eq(natsim.status, 0, "%s%s", natsim.out, natsim.err);
	cr_expect(strstr(natsim.out, "ok  nat         port-restricted-cone\n"), "%s", natsim.out);
	cr_expect(strstr(natsim.out, "ok  programs    started and watched inside a node\n"), "%s",
		  natsim.out);
	cr_expect(strstr(natsim.out, "This machine can run natsim.\n"), "%s", natsim.out);
	cr_expect_not(strstr(natsim.out, "NO"), "%s", natsim.out);
}

Test(doctor, json_says_the_same, .timeout = 60)
{
	AUTO_NATSIM struct natsim natsim = {0};
	const json_t *check;
	json_t *json;
	size_t i;

	natsim_run(&natsim, "doctor", "--format", "json", NULL);
	cr_expect_eq(natsim.status, 0);
	json = natsim_json(&natsim);
	cr_expect(json_is_true(json_at(json, "ok")));
	cr_expect_geq(json_array_size(json_at(json, "checks")), 10);
	json_array_foreach(json_at(json, "checks"), i, check)
		cr_expect(json_is_true(json_object_get(check, "ok")), "%s",
			  json_string_value(json_object_get(check, "detail")));
	json_decref(json);
}

/* A user namespace whose limit on network namespaces is 0 stands for such a machine. */
#define FORBIDDEN "echo 0 >/proc/sys/user/max_net_namespaces && exec \"$0\" \"$@\""

Test(doctor, a_machine_without_namespaces_is_status_4_with_the_remedy, .timeout = 60)
{
	AUTO_NATSIM struct natsim doctor = {.binary = "/usr/bin/unshare"};
	AUTO_NATSIM struct natsim run = {.binary = "/usr/bin/unshare"};

	natsim_run(&doctor, "--user", "--map-root-user", "/bin/sh", "-c", FORBIDDEN,
		   TEST_BINARY_DIR "/natsim", "doctor", NULL);
	SKIP_UNLESS(!strstr(doctor.err, "unshare:"), "user namespaces are forbidden here");
	cr_expect_eq(doctor.status, 4, "%s%s", doctor.out, doctor.err);
	cr_expect(strstr(doctor.out, "NO  namespaces  cannot create the lab's namespaces: No space "
				     "left on device\n"),
		  "%s", doctor.out);
	cr_expect(strstr(doctor.out, "user.max_net_namespaces"), "the remedy is missing: %s",
		  doctor.out);
	natsim_run(&run, "--user", "--map-root-user", "/bin/sh", "-c", FORBIDDEN,
		   TEST_BINARY_DIR "/natsim", "run",
		   TEST_SOURCE_DIR "/topologies/open-internet.yaml", NULL);
	cr_expect_eq(run.status, 4, "%s%s", run.out, run.err);
	cr_expect(strstr(run.err, "help: a limit on namespaces is reached"), "%s", run.err);
}

Test(doctor, wrong_usage_is_told)
{
	AUTO_NATSIM struct natsim argument = {0};
	AUTO_NATSIM struct natsim format = {0};
	AUTO_NATSIM struct natsim help = {0};

	natsim_run(&argument, "doctor", "now", NULL);
	cr_expect_eq(argument.status, 2);
	cr_expect(strstr(argument.err, "\"now\""), "%s", argument.err);
	natsim_run(&format, "doctor", "--format", "yaml", NULL);
	cr_expect_eq(format.status, 2);
	cr_expect(strstr(format.err, "\"yaml\""), "%s", format.err);
	natsim_run(&help, "doctor", "--help", NULL);
	cr_expect_eq(help.status, 0);
	cr_expect(strstr(help.out, "usage: natsim doctor"), "%s", help.out);
}
