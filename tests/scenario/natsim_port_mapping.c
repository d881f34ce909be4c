/* SPDX-License-Identifier: MIT */
/* A router that grants ports runs somebody else's program: what when it is missing, or dies. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/must_run.h"
#include "support/natsim.h"

#define AUTO_NATSIM CLEANUP(natsim_clear)

/* Somewhere else nobody would look for it; a file that cannot be executed covers it. */
#define HIDDEN                                                              \
	"for d in /usr/local/sbin /usr/sbin; do "                           \
	"if [ -e $d/miniupnpd ]; then mount --bind /dev/null $d/miniupnpd " \
	"|| exit 77; fi; done; exec \"$0\" \"$@\""

Test(port_mapping, without_the_daemon_is_status_4_and_nothing_is_built, .timeout = 60)
{
	AUTO_NATSIM struct natsim run = {.binary = "/usr/bin/unshare"};

	natsim_run(&run, "--user", "--map-root-user", "--mount", "/bin/sh", "-c", HIDDEN,
		   TEST_BINARY_DIR "/natsim", "run",
		   TEST_SOURCE_DIR "/topologies/port-mapping-unsupported.yaml", NULL);
	SKIP_UNLESS(!strstr(run.err, "unshare:") && run.status != 77,
		    "user namespaces are forbidden here");
	cr_expect_eq(run.status, 4, "%s%s", run.out, run.err);
	cr_expect(strstr(run.err, "port-mapping needs miniupnpd, which this machine does not have"),
		  "%s", run.err);
	cr_expect(strstr(run.err, "install the package miniupnpd-nftables"), "no remedy: %s",
		  run.err);
	cr_expect(strstr(run.out, "not run") && !strstr(run.out, "self-check:"),
		  "something was built: %s", run.out);
}

static const char dying[] =
	"name: dying\n"
	"networks: {internet: {type: internet}, home: {subnet: 192.168.1.0/24}}\n"
	"nodes:\n"
	"  router: {interfaces: {internet: 1.2.3.4, home: 192.168.1.254},\n"
	"    nat: {base: full-cone, port-mapping: pcp}}\n"
	"  pc: {interfaces: {home: 192.168.1.1}}\n"
	"steps:\n"
	"  - run: {node: router, command: [sh, -c, \"for p in /proc/[0-9]*; do\n"
	"      grep -qx miniupnpd $p/comm && kill -9 ${p#/proc/}; done; sleep 30\"]}\n";

Test(port_mapping, a_daemon_that_dies_is_told, .timeout = 60)
{
	struct scratch scratch = scratch_new();
	AUTO_FREE char *file = scratch_write(&scratch, "dying.yaml", dying);
	AUTO_NATSIM struct natsim run = {0};

	natsim_run(&run, "run", "--no-self-check", file, NULL);
	cr_expect_eq(run.status, 3, "%s%s", run.out, run.err);
	cr_expect(strstr(run.err, "the daemon of router ended before its lab"), "%s", run.err);
	scratch_free(&scratch);
}
