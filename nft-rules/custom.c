/* SPDX-License-Identifier: MIT */
/*
 * A user's own rules are nft's business: libnftables reads them, and tells what is wrong
 * with them. It opens a socket of its own where the calling thread is, so the thread
 * visits the router's namespace, which a socket that lives there leads to.
 */
#include "nft-rules/custom.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <libmnl/libmnl.h>
#include <linux/sockios.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { RULES_BYTES_MAX = 1 << 20 };

static void context_free(struct nft_ctx **context)
{
	if (*context)
		nft_ctx_free(*context);
}

static int read_all(FILE *file, char **ret)
{
	AUTO_FREE char *text = malloc(RULES_BYTES_MAX + 1);
	size_t length;
	char *fitting;

	if (!text)
		return -ENOMEM;
	length = fread(text, 1, RULES_BYTES_MAX, file);
	if (ferror(file))
		return -(errno ? errno : EIO);
	if (length == RULES_BYTES_MAX)
		return -EFBIG;
	text[length] = '\0';
	fitting = realloc(text, length + 1);
	if (fitting) {
		text = NULL;
		*ret = fitting;
		return 0;
	}
	*ret = STEAL(text);
	return 0;
}

int custom_read(const char *path, char **ret, struct diag *d)
{
	AUTO_FCLOSE FILE *file = fopen(path, "re");
	int r = file ? read_all(file, ret) : -errno;

	return r < 0 ? diag_system(d, -r, "cannot read the rules in %s", path) : 0;
}

/* nft's words, an entry each: the lines that are about a place begin with the file's name. */
static void tell(const char *words, const char *path, struct diag *d)
{
	char line[256];
	size_t length;

	if (!words || !words[0]) {
		diag_error(d, EINVAL, "%s: nft refuses these rules without a word", path);
		return;
	}
	while (*words) {
		length = strcspn(words, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)length, words);
		if (strncmp(line, path, strlen(path)) == 0 || strstr(line, "rror"))
			diag_error(d, EINVAL, "%s", line);
		words += length + (words[length] == '\n');
	}
	if (d && d->errors == 0)
		diag_error(d, EINVAL, "%s: nft refuses these rules", path);
}

static int load(const char *path, struct diag *d)
{
	__attribute__((cleanup(context_free))) struct nft_ctx *context =
		nft_ctx_new(NFT_CTX_DEFAULT);
	AUTO_FREE char *folder = strdup(path);

	if (!context || !folder)
		return -ENOMEM;
	/* What the file includes is looked for beside it. */
	if (nft_ctx_buffer_error(context) != 0 || nft_ctx_buffer_output(context) != 0 ||
	    nft_ctx_add_include_path(context, dirname(folder)) != 0)
		return -ENOMEM;
	if (nft_run_cmd_from_filename(context, path) == 0)
		return 0;
	tell(nft_ctx_get_error_buffer(context), path, d);
	return -EINVAL;
}

int custom_apply(const char *path, struct mnl_socket *socket, struct diag *d)
{
	int there = ioctl(mnl_socket_get_fd(socket), SIOCGSKNS);
	int home, r;

	if (there < 0)
		return diag_system(d, errno, "cannot find the router's namespace");
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || setns(there, CLONE_NEWNET) < 0) {
		r = diag_system(d, errno, "cannot enter the router's namespace");
		if (home >= 0)
			close(home);
		close(there);
		return r;
	}
	close(there);
	r = load(path, d);
	if (setns(home, CLONE_NEWNET) < 0)
		r = diag_system(d, errno, "cannot return from the router's namespace");
	close(home);
	return r;
}
