/* SPDX-License-Identifier: MIT */
/* Addresses of interfaces. */
#ifndef NATSIM_KERN_ADDRESS_H
#define NATSIM_KERN_ADDRESS_H

#include <stddef.h>

#include "base/addr.h"
#include "kern/batch.h"

/* Give the interface with @index the address @prefix. Returns 0 or -ENOMEM. */
int address_add(struct batch *batch, size_t tag, int index, const struct prefix *prefix);

#endif
