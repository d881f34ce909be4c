/* SPDX-License-Identifier: MIT */
/* The verbs of natsim: one file each, one row each in main.c's table. */
#ifndef NATSIM_CMD_H
#define NATSIM_CMD_H

/* Exit statuses, the same for every verb. */
enum {
	STATUS_OK = 0,          /* all expectations held */
	STATUS_BROKEN = 1,      /* some did not */
	STATUS_USAGE = 2,       /* a wrong command line or topology */
	STATUS_LAB = 3,         /* the lab could not be built or run */
	STATUS_UNSUPPORTED = 4, /* this machine cannot run it */
};

/*
 * The exit status for a lab that could not be built or played: STATUS_LAB, or
 * STATUS_UNSUPPORTED. Inside the supervisor every privilege there can be is ours, so only
 * what this kernel has not got counts against the machine. @error is a negative errno.
 */
int status_of_trouble(int error);

/* Each gets its own words, argv[0] being the verb, and returns an exit status. */
int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_conform(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

#endif
