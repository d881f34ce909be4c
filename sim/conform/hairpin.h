/* SPDX-License-Identifier: MIT */
/* What the probes of hairpinning share. */
#ifndef NATSIM_CONFORM_HAIRPIN_H
#define NATSIM_CONFORM_HAIRPIN_H

#include "conform/observed.h"
#include "conform/speech.h"

/* A packet of one inside host to an external endpoint of another. */
struct hairpin {
	bool heard;
	struct endpoint host, guest; /* who was to hear it, and who sent it */
	struct endpoint at, from;    /* where the guest sent to, and whom the host heard */
};

/* What a packet that was heard, or was not, shows. */
enum nat_hairpinning hairpin_source(const struct bed *bed, const struct hairpin *h);

/* Write down one that was heard, where @where, and whether ICMP errors about it pass. */
void hairpin_see(struct speech *speech, const struct hairpin *h, const char *where,
		 struct observed *o);

#endif
