/* SPDX-License-Identifier: MIT */
/*
 * A ruleset before it is text or kernel objects: one table, its sets and maps, its
 * chains, their rules. Private to nft-rules.
 *
 * A rule carries the libnftnl expressions and, made by the same calls (expr.h), the
 * text of each statement, so what is printed is what is installed.
 */
#ifndef NATSIM_NFT_RULES_IR_H
#define NATSIM_NFT_RULES_IR_H

#include <libnftnl/rule.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "nft-rules/ruleset.h"

#define IR_TABLE RULESET_TABLE

enum {
	IR_NAME_MAX = 32,
	IR_COMMENT_MAX =
		128, /* bytes with the NUL; nft keeps no more (NFTNL_UDATA_COMMENT_MAXLEN) */
	IR_FIELDS_MAX = 5,
	IR_SETS_MAX = 48,
	IR_CHAINS_MAX = 72,
	IR_INTERFACES_MAX = 128,
};

/*
 * The kinds of value a NAT keys on. An ICMP query's identifier is a port here. A whole
 * key of two endpoints can be a field: nft's types have room for five fields (six bits
 * each), and 16 bytes that nft knows how to show are an IPv6 address. A number in the
 * processor's own order, as numgen leaves it, is a mark.
 */
enum datatype { TYPE_ADDR, TYPE_PORT, TYPE_KEY, TYPE_NUMBER };

/* A concatenation, "ipv4_addr . inet_service": each field fills whole 32-bit registers. */
struct type {
	enum datatype fields[IR_FIELDS_MAX];
	size_t count;
};

/* An element that is there from the beginning: the registers of its key and its data. */
struct element {
	uint32_t key[2], data[2];
	char text[64];
};

/*
 * A set, or a map when it has data. Dynamic with timeouts and filled by the rules
 * themselves, unless it has elements from the beginning: then it only has those.
 */
struct set {
	char name[IR_NAME_MAX];
	char comment[IR_COMMENT_MAX];
	struct type key, data;
	bool fixed;
	struct element elements[NAT_FORWARDS_MAX];
	size_t element_count;
};

/* Where a base chain is hooked. */
struct hook {
	const char *type; /* "filter", "nat" */
	const char *name; /* as nft writes it */
	uint32_t number;  /* NF_INET_... */
	int priority;
	const char *priority_name;
};

struct rule {
	char comment[IR_COMMENT_MAX]; /* "" for none */
	struct nftnl_rule *rule;
	char **statements; /* the text, a statement each */
	size_t statement_count;
};

struct chain {
	char name[IR_NAME_MAX];
	char comment[IR_COMMENT_MAX];
	const struct hook *hook; /* NULL: only jumped to */
	struct rule *rules;
	size_t rule_count;
};

/* Two expressions of a rule: an interface's name is loaded, and compared. */
struct interface_match {
	struct nftnl_expr *load, *compare;
};

struct ruleset {
	struct interface_match interfaces[IR_INTERFACES_MAX];
	size_t interface_count;
	struct set sets[IR_SETS_MAX];
	size_t set_count;
	struct chain chains[IR_CHAINS_MAX];
	size_t chain_count;
	char *rules;   /* NAT_CUSTOM: the path of the user's own, ... */
	char *text;    /* ... and what is there; else NULL */
	bool wordless; /* rules have no text */
	bool inet;     /* the table is of the inet family, not of ip */
	int error;     /* the first -errno met while building; everything after it does nothing */
};

struct ruleset *ir_new(void); /* NULL without memory */

/*
 * Add an object. Names and comments are printf formats. The result lives as long as
 * the ruleset, except that a rule moves when the next is added to its chain. NULL
 * once ruleset->error is set, which every user of the result tolerates.
 */
struct set *ir_add_set(struct ruleset *ruleset, const struct type *key, const struct type *data,
		       const char *comment, const char *name, ...)
	__attribute__((format(printf, 5, 6)));
const struct set *ir_find_set(const struct ruleset *ruleset, const char *name); /* NULL: none */
/* Give a fixed set one more element (NULL: a set without data). Its text is a printf format. */
void ir_add_element(struct ruleset *ruleset, struct set *set, const uint32_t key[2],
		    const uint32_t data[2], const char *text, ...)
	__attribute__((format(printf, 5, 6)));
struct chain *ir_add_chain(struct ruleset *ruleset, const struct hook *hook, const char *comment,
			   const char *name, ...) __attribute__((format(printf, 4, 5)));
struct chain *ir_find_chain(struct ruleset *ruleset, const char *name); /* NULL: none */
struct rule *ir_add_rule(struct ruleset *ruleset, struct chain *chain, const char *comment);

/* Add a statement's text to a rule; what it cannot hold becomes ruleset->error. */
void ir_add_statement(struct ruleset *ruleset, struct rule *rule, const char *text);

/* Remember a match that interfaces_number() may change. */
void ir_add_interface(struct ruleset *ruleset, struct nftnl_expr *load, struct nftnl_expr *compare);

void ir_fail(struct ruleset *ruleset, int error); /* keeps the first error */

/* The type as nft writes it, "ipv4_addr . inet_service". */
#define IR_TYPE_TEXT_MAX 96
const char *ir_type_format(const struct type *type, char text[IR_TYPE_TEXT_MAX]);
uint32_t ir_type_length(const struct type *type); /* in bytes */
unsigned int ir_type_registers(const struct type *type);
uint32_t ir_type_number(const struct type *type); /* nft's number for the concatenation */

#endif
