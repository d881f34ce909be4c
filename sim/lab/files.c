/* SPDX-License-Identifier: MIT */
/*
 * What a node sees of the file system: the host's, except for
 *
 *     /etc/hosts        every node's name and addresses, so that names work
 *     /etc/resolv.conf  nothing: no name server is reachable from a lab, and without this
 *                       a program would wait for one
 *     /sys              the interfaces of its own namespace
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/internal.h"

static FILE *file_create(const struct lab *lab, const char *name)
{
	char path[sizeof(lab->files) + 32];

	snprintf(path, sizeof(path), "%s/%s", lab->files, name);
	return fopen(path, "we");
}

static void write_node(FILE *file, const struct node *node)
{
	const struct interface *interface;
	char text[ADDR_TEXT_MAX];
	size_t i;

	for (interface = node->interfaces; interface < node->interfaces + node->interface_count;
	     interface++)
		for (i = 0; i < interface->address_count; i++)
			fprintf(file, "%s\t%s\n", addr_format(&interface->addresses[i], text),
				node->name);
}

static int write_hosts(const struct lab *lab)
{
	const struct topo *topo = lab->topo;
	FILE *file = file_create(lab, "hosts");
	size_t i;
	int r;

	if (!file)
		return -errno;
	fprintf(file, "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
	for (i = 0; i < topo->node_count; i++)
		write_node(file, &topo->nodes[i]);
	if (topo->internet != TOPO_NONE)
		fprintf(file, "%s\t%s\n", PLAN_CORE_ADDRESS, topo->networks[topo->internet].name);
	r = ferror(file) ? -EIO : 0;
	return fclose(file) != 0 ? -errno : r;
}

static int write_resolv_conf(const struct lab *lab)
{
	FILE *file = file_create(lab, "resolv.conf");

	if (!file)
		return -errno;
	fprintf(file, "# A lab has no name servers; names are in /etc/hosts.\n");
	return fclose(file) != 0 ? -errno : 0;
}

int files_write(struct lab *lab, struct diag *d)
{
	char path[sizeof(lab->files)] = LAB_FILES "/lab-XXXXXX";
	int r = 0;

	if (!mkdtemp(path))
		return diag_system(d, errno, "cannot make a directory for the lab's files in %s",
				   LAB_FILES);
	memcpy(lab->files, path, sizeof(path));
	r = write_hosts(lab);
	if (r == 0)
		r = write_resolv_conf(lab);
	return r < 0 ? diag_system(d, -r, "cannot write the nodes' /etc/hosts") : 0;
}

void files_remove(struct lab *lab)
{
	static const char *const names[] = {"hosts", "resolv.conf"};
	char path[sizeof(lab->files) + 32];
	size_t i;

	if (lab->files[0] == '\0')
		return;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", lab->files, names[i]);
		unlink(path);
	}
	rmdir(lab->files);
	lab->files[0] = '\0';
}

/* Put one of the lab's files in front of @target. */
static int cover(const struct lab *lab, const char *name, const char *target)
{
	char path[sizeof(lab->files) + 32];

	snprintf(path, sizeof(path), "%s/%s", lab->files, name);
	return mount(path, target, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

int view_enter(const struct lab *lab, size_t node, const char **ret_what)
{
	const char *name = lab->topo->nodes[node].name;
	int r;

	*ret_what = "cannot give it a view of its own";
	if (unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0 || sethostname(name, strlen(name)) < 0)
		return -errno;
	*ret_what = "cannot show it the lab's /etc/hosts";
	r = cover(lab, "hosts", "/etc/hosts");
	if (r < 0)
		return r;
	*ret_what = "cannot show it the lab's /etc/resolv.conf";
	r = cover(lab, "resolv.conf", "/etc/resolv.conf");
	if (r < 0 && r != -ENOENT) /* a machine without one needs none here */
		return r;
	/*
	 * A container that covers parts of /sys forbids a fresh one. Then the host's shows
	 * again: the wrong interfaces, but everything else a program may look for.
	 */
	*ret_what = "cannot show it its interfaces in /sys";
	if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	return umount2(LAB_FILES, MNT_DETACH) < 0 ? -errno : 0;
}
