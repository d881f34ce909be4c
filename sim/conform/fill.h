/* SPDX-License-Identifier: MIT */
/* Part of probe_ports(): a small range is filled to its end. */
#ifndef NATSIM_CONFORM_FILL_H
#define NATSIM_CONFORM_FILL_H

#include "conform/observed.h"
#include "conform/speech.h"

/* After the ports that were drawn have been seen. */
void fill_if_small(struct speech *speech, struct observed *o);

#endif
