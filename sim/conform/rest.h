/* SPDX-License-Identifier: MIT */
/* Part of probe_lifetimes(): what becomes of the ports of mappings that ended. */
#ifndef NATSIM_CONFORM_REST_H
#define NATSIM_CONFORM_REST_H

#include "conform/observed.h"
#include "conform/speech.h"

enum { REST_SOCKETS_MAX = 150 };

struct rest {
	struct speech speech;
	size_t count; /* 0: it cannot be found out; ASPECT_REST says why */
	bool preserving;
	uint16_t local[REST_SOCKETS_MAX], external[REST_SOCKETS_MAX];
	uint64_t opened;
};

/* Open the mappings that shall end. After the lifetimes have been seen. */
void rest_begin(struct bed *bed, struct observed *o, struct rest *ret);
/* Let them end, and see whether their ports are given away again. */
void rest_end(struct rest *rest, struct observed *o);

#endif
