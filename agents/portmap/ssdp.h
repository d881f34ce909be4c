/* SPDX-License-Identifier: MIT */
/* Finding an internet gateway device: SSDP, as UPnP Device Architecture 1.1 section 1 has it. */
#ifndef NATSIM_AGENTS_PORTMAP_SSDP_H
#define NATSIM_AGENTS_PORTMAP_SSDP_H

#include <stdbool.h>
#include <stddef.h>

enum { SSDP_PORT = 1900, SSDP_MESSAGE_MAX = 512, SSDP_URL_MAX = 256 };

#define SSDP_GROUP "239.255.255.250"

/* Write the search into SSDP_MESSAGE_MAX bytes; returns its length. */
size_t ssdp_search(char *buffer);

/* Whether @bytes is the answer of a gateway device; then *ret is where its description is. */
bool ssdp_answer(const void *bytes, size_t length, char ret[SSDP_URL_MAX]);

#endif
