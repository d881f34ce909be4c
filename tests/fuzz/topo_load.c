/* SPDX-License-Identifier: MIT */
/*
 * Whatever bytes a topology holds, loading it ends in a valid model or in mistakes
 * that can be printed, and never in anything else.
 *
 *     build-fuzz/tests/fuzz_topo_load -max_len=16384 CORPUS topologies tests/bogus
 */
#include <stdint.h>
#include <stdlib.h>

#include "topo/topo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_model(const struct topo *topo)
{
	const struct node *node;
	const struct step *step;
	size_t i, s;

	if (!topo->name)
		abort();
	for (node = topo->nodes; node < topo->nodes + topo->node_count; node++) {
		if (node->interface_count == 0 || (node->has_nat && node->uplink == TOPO_NONE))
			abort();
		for (i = 0; i < node->interface_count; i++)
			if (node->interfaces[i].address_count == 0)
				abort();
	}
	for (s = 0; s < topo->step_count; s++) {
		step = &topo->steps[s];
		if ((step->kind == STEP_STOP || step->kind == STEP_WAIT) &&
		    topo->steps[step->target_step].kind != STEP_START)
			abort();
		for (i = 0; i < step->program_count; i++)
			if (!step->programs[i].name ||
			    (!step->programs[i].agent && !step->programs[i].argv[0]))
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct topo *topo = NULL;
	struct diag d = {0};
	FILE *nowhere;
	int r;

	r = topo_load_text("fuzz", (const char *)data, size, &topo, &d);
	if ((r == 0) != (topo != NULL) || (r == 0) != (d.errors == 0))
		abort();
	nowhere = fopen("/dev/null", "w");
	if (nowhere && d.count)
		diag_print(&d, nowhere, false);
	if (nowhere)
		fclose(nowhere);
	if (topo)
		check_model(topo);
	topo_free(topo);
	diag_clear(&d);
	return 0;
}
