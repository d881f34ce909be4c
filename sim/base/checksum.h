/* SPDX-License-Identifier: MIT */
/* The checksum of IP headers and ICMP messages. */
#ifndef NATSIM_BASE_CHECKSUM_H
#define NATSIM_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* RFC 1071, as a number: the field that is to hold it is 0 in @bytes, and gets it high byte first.
 */
uint16_t internet_checksum(const uint8_t *bytes, size_t length);

#endif
