/* SPDX-License-Identifier: MIT */
/* The mark in which a candidate is carried from rule to rule does not leave with the packet. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/diag.h"
#include "nft-rules/custom.h"
#include "support/natbed.h"

/* Behind everything else: what still has a mark goes no further. */
static const char watch[] = "table ip watch {\n"
			    "	chain last {\n"
			    "		type filter hook postrouting priority 300\n"
			    "		meta mark != 0 drop\n"
			    "	}\n"
			    "}\n";

static void stop_what_has_a_mark(struct natbed *bed)
{
	char path[] = "/tmp/natsim-marks-XXXXXX";
	AUTO_DIAG struct diag d = {0};
	struct mnl_socket *socket;
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && write(fd, watch, sizeof(watch) - 1) == sizeof(watch) - 1);
	close(fd);
	cr_assert(netns_netfilter(bed->side[BED_ROUTER], &socket, &d) == 0);
	cr_assert(custom_apply(path, socket, &d) == 0);
	unlink(path);
}

/* Two hosts from one port each: an own port, one that is drawn, and the same below 1024. */
static void leaves_without(const char *name)
{
	const struct nat nat = bed_nat(name);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	static const char *const locals[] = {"192.168.1.1:5000", "192.168.1.2:5000",
					     "192.168.1.3:5001", "192.168.1.4:5001",
					     "192.168.1.1:700",  "192.168.1.2:700"};
	enum { LOCALS = sizeof(locals) / sizeof(locals[0]) };
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), seen[LOCALS];
	int outside = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000"), fds[LOCALS], i;

	stop_what_has_a_mark(&bed);
	for (i = 0; i < LOCALS; i++) {
		fds[i] = bed_udp(&bed, BED_INSIDE, locals[i]);
		cr_assert(bed_passes(&bed, fds[i], &server, outside),
			  "%s: %s has a mark when it leaves", name, locals[i]);
		seen[i] = bed_pass(fds[i], &server, outside);
	}
	if (nat.hairpinning != HAIRPINNING_OFF) {
		/* Each opens its filter for the other; then both directions of the flow. */
		bed_passes(&bed, fds[0], &seen[1], fds[1]);
		cr_assert(bed_passes(&bed, fds[1], &seen[0], fds[0]), "%s: hairpinned", name);
		cr_assert(bed_passes(&bed, fds[0], &seen[1], fds[1]), "%s: and back", name);
	}
	for (i = 0; i < LOCALS; i++)
		close(fds[i]);
	close(outside);
}

Test(marks, stay_inside_with_every_nat_that_carries_a_candidate)
{
	leaves_without("full-cone");
	leaves_without("rfc4787");
	leaves_without("home-router");
	leaves_without("rfc6888-cgn");
	leaves_without("mobile-carrier");
}
