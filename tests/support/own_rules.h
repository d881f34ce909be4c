/* SPDX-License-Identifier: MIT */
/* Rules of somebody's own: a plain NAT, and what is put beside it. */
#ifndef NATSIM_TESTS_SUPPORT_OWN_RULES_H
#define NATSIM_TESTS_SUPPORT_OWN_RULES_H

#include <stdio.h>
#include <stdlib.h>

/* What a path begins as; it becomes one that nobody has. */
#define OWN_RULES_PATH "/tmp/natsim-own-XXXXXX"

/* Write a file with masquerade and the text of more tables. Returns 0, or -1. */
static inline int own_rules_write_beside(char path[], const char *tables)
{
	int fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file)
		return -1;
	fprintf(file,
		"table ip own {\n"
		"	chain out {\n"
		"		type nat hook postrouting priority srcnat\n"
		"		oifname \"internet\" masquerade\n"
		"	}\n"
		"}\n"
		"%s",
		tables);
	return fclose(file) == 0 ? 0 : -1;
}

/* The same with one rule at one hook. */
static inline int own_rules_write(char path[], const char *hook, const char *rule)
{
	char table[1024];

	snprintf(table, sizeof(table),
		 "table ip beside {\n"
		 "	chain wrong {\n"
		 "		type filter hook %s\n"
		 "		%s\n"
		 "	}\n"
		 "}\n",
		 hook, rule);
	return own_rules_write_beside(path, table);
}

#endif
