/* SPDX-License-Identifier: MIT */
/*
 * The words of the axes: what the topology language reads, and what reports write.
 *
 * A list ends with a NULL word. Its values are those of the axis' enum, or false
 * and true.
 */
#ifndef NATSIM_NFT_RULES_WORDS_H
#define NATSIM_NFT_RULES_WORDS_H

#include <stdio.h>

#include "nft-rules/nat.h"

struct nat_word {
	const char *word;
	unsigned int value;
};

extern const struct nat_word nat_dependence_words[];
extern const struct nat_word nat_allocation_words[];
extern const struct nat_word nat_exhaustion_words[];
extern const struct nat_word nat_hairpinning_words[];
extern const struct nat_word nat_unsolicited_words[];
extern const struct nat_word nat_refresh_words[];
extern const struct nat_word nat_pooling_words[];
extern const struct nat_word nat_unmatched_words[];
extern const struct nat_word nat_icmp_errors_words[];  /* icmp.errors_blocked */
extern const struct nat_word nat_rst_words[];          /* tcp.rst_kills */
extern const struct nat_word nat_open_words[];         /* tcp.strict_syn */
extern const struct nat_word nat_port_mapping_words[]; /* port_mapping: bits */
extern const struct nat_word nat_udp_words[];          /* udp_blocked */

/* The word for @value; "?" when the list has none. */
const char *nat_word(const struct nat_word *words, unsigned int value);

/*
 * Write every axis beyond mapping, filtering and allocation in which @nat differs from
 * @usual, each with ", " before it: ", range 40000-40099, hairpinning external-source".
 */
void nat_write_details(const struct nat *nat, const struct nat *usual, FILE *out);

#endif
