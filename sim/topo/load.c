/* SPDX-License-Identifier: MIT */
/*
 * From a file to the model, layer by layer:
 *
 *     bytes -> text (UTF-8, no control characters) -> YAML tree -> networks, nodes
 *           -> ways to the internet -> realms -> steps
 *
 * Every layer tells its mistakes and goes on. The picture's meaning (ways, realms)
 * is only looked at when the picture itself is right: what follows from a mistyped
 * name would bury the mistake.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "topo/loader.h"
#include "topo/scalar.h"

enum { TITLE_MAX = 63 };

void *array_add(void *array, size_t *count, size_t size)
{
	char *grown = reallocarray(array, *count + 1, size);

	if (grown)
		memset(grown + (*count)++ * size, 0, size);
	return grown;
}

/* The length of the UTF-8 character at @text (RFC 3629 section 4), 0 when it is none. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	size_t length, i;

	if (text[0] < 0x80)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	if (length > left)
		return 0;
	for (i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what is beyond U+10FFFF. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

/* YAML's printable characters (1.2 section 5.1); a lone carriage return is not among our line ends.
 */
static bool is_printable(const unsigned char *c, size_t left)
{
	if (c[0] == '\r')
		return left > 1 && c[1] == '\n';
	if (c[0] < 0x20)
		return c[0] == '\t' || c[0] == '\n';
	if (c[0] == 0xc2)
		return c[1] > 0x9f || c[1] == 0x85;
	/* A byte order mark in the middle, and the two that are no characters. */
	if (c[0] == 0xef)
		return !(c[1] == 0xbb && c[2] == 0xbf) && !(c[1] == 0xbf && c[2] >= 0xbe);
	return c[0] != 0x7f;
}

static bool check_text(struct source *source)
{
	const unsigned char *text = (const unsigned char *)source->text;
	size_t i, length;

	for (i = 0; i < source->length; i += length) {
		length = utf8_length(text + i, source->length - i);
		if (length == 0) {
			mistake(source, (struct span){i, i}, "byte 0x%02x is not UTF-8", text[i]);
			remedy(source, "a topology is a text file in UTF-8");
			return false;
		}
		if (!is_printable(text + i, source->length - i)) {
			mistake(source, (struct span){i, i},
				"a control character (0x%02x) in the text", text[i]);
			remedy(source, "a topology is a text file in UTF-8");
			return false;
		}
	}
	return true;
}

/* The first line of the leading comment that says something; NULL when there is none. */
static int leading_comment(const struct source *source, char **ret)
{
	const char *c = source->text, *end = c + source->length, *line_end;
	size_t length;

	for (; c < end && (*c == '#' || *c == '\n' || *c == '\r'); c = line_end + 1) {
		line_end = memchr(c, '\n', (size_t)(end - c));
		if (!line_end)
			line_end = end;
		while (c < line_end && (*c == '#' || *c == ' ' || *c == '\t'))
			c++;
		length = (size_t)(line_end - c);
		while (length > 0 && strchr(" \t\r", c[length - 1]))
			length--;
		if (length == 0 || (length > 5 && strncmp(c, "SPDX-", 5) == 0))
			continue;
		*ret = strndup(c, length);
		return *ret ? 0 : -ENOMEM;
	}
	return 0;
}

static int load_title(struct loader *loader, const struct yaml *root)
{
	const struct yaml *name = yaml_get(root, "name");
	const struct yaml *description = yaml_get(root, "description");
	const char *text;

	if (!name) {
		mistake(loader->source, (struct span){root->span.start, root->span.start},
			"the topology has no name");
		remedy(loader->source, "begin with \"name: SOMETHING\"");
	} else if (read_name(loader->source, name, "a topology's name", TITLE_MAX, &text)) {
		loader->topo->name = strdup(text);
		if (!loader->topo->name)
			return -ENOMEM;
	}
	if (!description)
		return leading_comment(loader->source, &loader->topo->description);
	if (!read_text(loader->source, description, "description", &text))
		return 0;
	loader->topo->description = strdup(text);
	return loader->topo->description ? 0 : -ENOMEM;
}

/* A section that must be there and be a map with something in it. */
static const struct yaml *section(struct loader *loader, const struct yaml *root, const char *key)
{
	const struct yaml *value = yaml_get(root, key);

	if (!value) {
		mistake(loader->source, (struct span){root->span.start, root->span.start},
			"the topology has no %s", key);
		return NULL;
	}
	if (yaml_is_null(value) || (value->kind == YAML_MAPPING && value->count == 0)) {
		mistake(loader->source, yaml_get_key(root, key)->span, "there are no %s here", key);
		return NULL;
	}
	return read_map(loader->source, value, key) ? value : NULL;
}

static int load_root(struct loader *loader, const struct yaml *root)
{
	static const char *const known[] = {"name",  "description", "networks", "nats",
					    "nodes", "steps",       NULL};
	const struct yaml *steps = yaml_get(root, "steps");
	const struct yaml *nats = yaml_get(root, "nats");
	int r;

	if (!read_map(loader->source, root, "a topology"))
		return 0;
	refuse_unknown_keys(loader->source, root, "a topology", known);
	r = load_title(loader, root);
	if (r < 0)
		return r;
	loader->networks = section(loader, root, "networks");
	loader->nodes = section(loader, root, "nodes");
	if (steps && !yaml_is_null(steps) && read_list(loader->source, steps, "steps"))
		loader->steps = steps;
	r = load_networks(loader);
	if (r == 0 && nats && read_map(loader->source, nats, "nats"))
		r = load_nats(loader, nats);
	if (r == 0)
		r = load_nodes(loader);
	loader->picture_is_good = loader->source->mistakes == 0;
	if (r == 0 && loader->picture_is_good)
		r = resolve_uplinks(loader);
	if (r == 0 && loader->picture_is_good)
		r = check_realms(loader);
	if (r == 0 && loader->picture_is_good && loader->source->mistakes == 0)
		check_nats(loader);
	if (r == 0 && loader->picture_is_good) {
		check_unused_networks(loader);
		check_isolated_networks(loader);
		check_unused_nats(loader);
	}
	return r == 0 ? load_steps(loader) : r;
}

static int load_source(struct source *source, struct topo *topo)
{
	struct loader loader = {.source = source, .topo = topo};
	struct yaml_document document = {0};
	int r;

	if (!check_text(source))
		return 0;
	r = yaml_parse(source, &document);
	if (r < 0)
		return r;
	if (document.root)
		r = load_root(&loader, document.root);
	else if (source->mistakes == 0)
		mistake(source, (struct span){0, 0}, "there is nothing in this file");
	free(loader.wanted_gateways);
	free(loader.nats);
	yaml_clear(&document);
	return r;
}

static int too_large(const char *file, struct diag *d)
{
	struct diag_place place = {.file = file};

	diag_at(d, DIAG_ERROR, &place, NULL, "larger than a topology may be (%d bytes)",
		TOPO_FILE_BYTES_MAX);
	return -EINVAL;
}

/* What is wrong with an unfinished topology is in the diag, also when the count has run over. */
static int conclude(struct source *source)
{
	struct diag_place place = {.file = source->file};

	source_sort(source);
	if (source->mistakes > SOURCE_MISTAKES_MAX)
		diag_at(source->diag, DIAG_ERROR, &place, NULL, "%zu more mistakes are not shown",
			source->mistakes - SOURCE_MISTAKES_MAX);
	return source->mistakes ? -EINVAL : 0;
}

int topo_load_text(const char *file, const char *text, size_t length, struct topo **ret,
		   struct diag *d)
{
	static const char mark[] = "\xef\xbb\xbf"; /* the byte order mark some editors write */
	CLEANUP(topo_free_cleanup) struct topo *topo = NULL;
	struct source source;
	int r;

	if (length > TOPO_FILE_BYTES_MAX)
		return too_large(file, d);
	if (length >= 3 && memcmp(text, mark, 3) == 0) {
		text += 3;
		length -= 3;
	}
	topo = calloc(1, sizeof(*topo));
	if (!topo)
		return diag_error(d, ENOMEM, "out of memory while reading %s", file);
	topo->internet = TOPO_NONE;
	topo->file = strdup(file);
	r = topo->file ? source_init(&source, file, text, length, d) : -ENOMEM;
	if (r == 0) {
		r = load_source(&source, topo);
		if (r == 0)
			r = conclude(&source);
		source_clear(&source);
	}
	if (r == -ENOMEM)
		return diag_error(d, ENOMEM, "out of memory while reading %s", file);
	if (r == 0)
		*ret = STEAL(topo);
	return r;
}

/* Read up to one byte more than a topology may have, so that too much is seen. */
static int read_all(FILE *in, char **ret, size_t *ret_length)
{
	AUTO_FREE char *text = malloc(TOPO_FILE_BYTES_MAX + 1);

	if (!text)
		return -ENOMEM;
	errno = 0;
	*ret_length = fread(text, 1, TOPO_FILE_BYTES_MAX + 1, in);
	if (ferror(in))
		return errno ? -errno : -EIO;
	*ret = STEAL(text);
	return 0;
}

int topo_load(const char *path, struct topo **ret, struct diag *d)
{
	bool standard_input = strcmp(path, "-") == 0;
	AUTO_FREE char *text = NULL;
	AUTO_FCLOSE FILE *file = NULL;
	size_t length;
	int r;

	if (!standard_input) {
		file = fopen(path, "re");
		if (!file)
			return diag_system(d, errno, "cannot open %s", path);
	}
	r = read_all(standard_input ? stdin : file, &text, &length);
	if (r < 0)
		return diag_system(d, -r, "cannot read %s", path);
	return topo_load_text(standard_input ? "(standard input)" : path, text, length, ret, d);
}
