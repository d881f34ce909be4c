/* SPDX-License-Identifier: MIT */
/* Where the agents' programs are: beside natsim in a build tree, else where they were installed. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/internal.h"

/* The directory of the running program, without a slash at its end. */
static int own_directory(char ret[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return -errno;
	ret[n] = '\0';
	slash = strrchr(ret, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return 0;
}

/* An installed natsim lives in a bin folder, where "detect" may be anybody's program. */
static bool is_bin(const char *directory)
{
	const char *slash = strrchr(directory, '/');

	return slash && (strcmp(slash, "/bin") == 0 || strcmp(slash, "/sbin") == 0);
}

/* Whether @directory/@below/@agent can be executed; then *ret is its path. */
static int try(const char *directory, const char *below, const char *agent, char **ret)
{
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s%s/%s", directory, below, agent) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (access(path, X_OK) < 0)
		return -errno;
	*ret = STEAL(path);
	return 0;
}

int lab_agent_path(const char *agent, char **ret, struct diag *d)
{
	char directory[PATH_MAX];
	int r = own_directory(directory);

	if (r < 0)
		return diag_system(d, -r, "cannot find out where natsim itself is");
	r = is_bin(directory) ? -ENOENT : try(directory, "", agent, ret);
	if (r < 0) /* a test's program, in a folder of the build tree */
		r = try(directory, "/..", agent, ret);
	if (r < 0) /* installed, and perhaps moved since */
		r = try(directory, "/../libexec/natsim", agent, ret);
	if (r < 0)
		r = try(NATSIM_LIBEXECDIR, "", agent, ret);
	if (r == -ENOMEM || r == 0)
		return r;
	diag_error(d, ENOENT, "the agent \"%s\" is neither beside natsim (%s) nor installed (%s)",
		   agent, directory, NATSIM_LIBEXECDIR);
	diag_help(d, "build it (cmake --build) or install natsim as a whole");
	return -ENOENT;
}
