/* SPDX-License-Identifier: MIT */
/* Part of the report for machines. */
#ifndef NATSIM_VERDICT_REPORT_NAT_H
#define NATSIM_VERDICT_REPORT_NAT_H

#include <jansson.h>

#include "nft-rules/nat.h"

/* What @nat declares; NULL without memory. The schema is in README.md beside this file. */
json_t *report_nat_json(const struct nat *nat);

#endif
