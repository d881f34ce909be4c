/* SPDX-License-Identifier: MIT */
/* A program of a topology as the words of its command line. */
#ifndef NATSIM_OBSERVE_COMMAND_H
#define NATSIM_OBSERVE_COMMAND_H

#include "base/cleanup.h"
#include "topo/topo.h"

/* argv of @program with @path in front if it is an agent: NULL-terminated, freed by command_free().
 */
int command_argv(const struct program *program, const char *path, char ***ret);
void command_free(char **argv);
DEFINE_CLEANUP(char **, command_free)

/* The same as one line for people, quoted as a shell wants it; an agent by its bare name. */
int command_line(const struct program *program, char **ret);

#endif
