/* SPDX-License-Identifier: MIT */
#include "topo/yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

struct anchor {
	char *name;
	struct yaml *node;
};

/* A collection that is still open. */
struct level {
	struct yaml *node;
	struct yaml *key; /* of a mapping: the key whose value comes next */
	bool skip;        /* that value belongs to a duplicate */
	char *anchor;
	size_t capacity;
};

struct builder {
	struct source *source;
	struct yaml_document *document;
	struct level stack[YAML_DEPTH_MAX];
	size_t depth;
	struct anchor anchors[YAML_ANCHORS_MAX];
	size_t anchor_count;
	size_t weight; /* of all nodes, aliases written out */
	size_t end;    /* where the last event ended: values that are not written stand there */
	size_t documents;
};

/* Our own results: go on, or stop because what follows cannot be read. */
enum { GO_ON = 0, STOP = 1 };

static struct yaml *node_new(struct builder *b, enum yaml_kind kind, struct span span)
{
	struct yaml *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	node->span = span;
	node->place = source_place(b->source, span.start);
	node->weight = 1;
	node->next = b->document->nodes;
	b->document->nodes = node;
	return node;
}

static void builder_clear(struct builder *b)
{
	size_t i;

	for (i = 0; i < b->anchor_count; i++)
		free(b->anchors[i].name);
	for (i = 0; i < b->depth; i++)
		free(b->stack[i].anchor);
}

/* The marks of quoted text leave out its quotes, and an alias's its star. */
static void include_sigil(const struct source *source, struct span *span)
{
	char before = '\0';

	if (span->start > 0)
		before = source->text[span->start - 1];
	if (before == '*' || before == '"' || before == '\'')
		span->start--;
	if ((before == '"' || before == '\'') && span->end < source->length &&
	    source->text[span->end] == before)
		span->end++;
}

/* Marks are missing on what is not written (an empty value, an implied document). */
static struct span event_span(struct builder *b, struct fy_event *event)
{
	const struct fy_mark *start = fy_event_start_mark(event);
	const struct fy_mark *end = fy_event_end_mark(event);
	struct span span = {.start = b->end, .end = b->end};

	if (start && start->line >= 0) {
		span.start = start->input_pos;
		span.end = end && end->input_pos > span.start ? end->input_pos : span.start;
		b->end = span.end;
		include_sigil(b->source, &span);
	}
	return span;
}

static void token_iter_cleanup(struct fy_token_iter **iter)
{
	fy_token_iter_destroy(*iter);
}

/*
 * A copy of a token's text.
 *
 * Chunk by chunk: libfyaml 0.7.12's fy_token_get_text() leaks what it joins the chunks
 * in when there are many, and its fy_token_iter_read() puts each over the one before.
 */
static int token_text(struct fy_token *token, char **ret)
{
	CLEANUP(token_iter_cleanup) struct fy_token_iter *iter = NULL;
	const struct fy_iter_chunk *chunk = NULL;
	AUTO_FREE char *text = malloc(1);
	size_t length = 0;
	int error = 0;
	char *grown;

	if (!text)
		return -ENOMEM;
	if (token) /* none where a value is not written */
		iter = fy_token_iter_create(token);
	if (token && !iter)
		return -ENOMEM;
	while (iter && (chunk = fy_token_iter_chunk_next(iter, chunk, &error))) {
		grown = realloc(text, length + chunk->len + 1);
		if (!grown)
			return -ENOMEM;
		text = grown;
		memcpy(text + length, chunk->str, chunk->len);
		length += chunk->len;
	}
	if (error)
		return -ENOMEM;
	text[length] = '\0';
	*ret = STEAL(text);
	return strlen(*ret) == length ? GO_ON : -EBADMSG;
}

/* Room for one more in @array, whose capacity doubles. */
static int grow(struct yaml ***array, size_t count, size_t capacity)
{
	struct yaml **grown = reallocarray(*array, capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	memset(grown + count, 0, (capacity - count) * sizeof(*grown));
	*array = grown;
	return 0;
}

static int append(struct level *level, struct yaml *key, struct yaml *value)
{
	struct yaml *node = level->node;

	if (node->count == level->capacity) {
		level->capacity = level->capacity ? 2 * level->capacity : 4;
		if (grow(&node->items, node->count, level->capacity) < 0)
			return -ENOMEM;
		if (node->kind == YAML_MAPPING &&
		    grow(&node->keys, node->count, level->capacity) < 0)
			return -ENOMEM;
	}
	if (key)
		node->keys[node->count] = key;
	node->items[node->count++] = value;
	node->weight += value->weight + (key != NULL);
	return 0;
}

/* A key of the mapping on top: it must be text, and new. */
static int take_key(struct builder *b, struct level *level, struct yaml *key)
{
	const struct yaml *first;

	if (key->kind != YAML_SCALAR) {
		mistake(b->source, key->span, "a key must be text, not %s", yaml_kind_name(key));
		return STOP;
	}
	if (level->node->count == YAML_KEYS_MAX) {
		mistake(b->source, key->span, "a map has at most %d keys", YAML_KEYS_MAX);
		return STOP;
	}
	first = yaml_get_key(level->node, key->text);
	level->skip = first != NULL;
	if (first) {
		mistake(b->source, key->span, "\"%.64s\" is here for the second time", key->text);
		remedy(b->source, "the first is on line %u", first->place.line);
	}
	level->key = key;
	return GO_ON;
}

/* Put a finished node where it belongs: the root, an item, a key, or a value. */
static int place_node(struct builder *b, struct yaml *node)
{
	struct level *level;
	int r;

	if (b->depth == 0) {
		b->document->root = node;
		return GO_ON;
	}
	level = &b->stack[b->depth - 1];
	if (level->node->kind == YAML_MAPPING && !level->key)
		return take_key(b, level, node);
	r = level->skip ? GO_ON : append(level, level->key, node);
	level->key = NULL;
	level->skip = false;
	return r;
}

static int count_weight(struct builder *b, size_t weight, struct span span)
{
	b->weight += weight;
	if (b->weight <= YAML_NODES_MAX)
		return GO_ON;
	mistake(b->source, span, "too many values: a topology has at most %d, aliases written out",
		YAML_NODES_MAX);
	return STOP;
}

/* Remember @node under the anchor @name, which is handed over. */
static int anchor_add(struct builder *b, char *name, struct yaml *node)
{
	if (!name)
		return GO_ON;
	if (b->anchor_count == YAML_ANCHORS_MAX) {
		free(name);
		mistake(b->source, node->span, "a topology has at most %d anchors",
			YAML_ANCHORS_MAX);
		return STOP;
	}
	b->anchors[b->anchor_count++] = (struct anchor){.name = name, .node = node};
	return GO_ON;
}

static int on_alias(struct builder *b, struct fy_event *event, struct span span)
{
	AUTO_FREE char *name = NULL;
	size_t i;
	int r = token_text(event->alias.anchor, &name);

	if (r == -ENOMEM)
		return r;
	for (i = b->anchor_count; i > 0; i--)
		if (strcmp(b->anchors[i - 1].name, name) == 0)
			break;
	if (i == 0) {
		mistake(b->source, span, "no anchor is called \"%.64s\" before this", name);
		remedy(b->source,
		       "an alias stands for what an anchor (&%.64s) marked further up, and not for "
		       "something that it is part of",
		       name);
		return STOP;
	}
	r = count_weight(b, b->anchors[i - 1].node->weight, span);
	return r ? r : place_node(b, b->anchors[i - 1].node);
}

static int on_scalar(struct builder *b, struct fy_event *event, struct span span)
{
	struct yaml *node = node_new(b, YAML_SCALAR, span);
	char *anchor = NULL;
	int r;

	if (!node)
		return -ENOMEM;
	node->plain =
		fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN || !event->scalar.value;
	r = token_text(event->scalar.value, &node->text);
	if (r == -EBADMSG)
		mistake(b->source, span, "text cannot hold a NUL character");
	else if (r)
		return r;
	r = count_weight(b, 1, span);
	if (r)
		return r;
	if (event->scalar.anchor && token_text(event->scalar.anchor, &anchor) == -ENOMEM)
		return -ENOMEM;
	r = anchor_add(b, anchor, node);
	return r ? r : place_node(b, node);
}

static int on_open(struct builder *b, enum yaml_kind kind, struct fy_token *anchor,
		   struct span span)
{
	struct level *level;
	struct yaml *node;
	int r = count_weight(b, 1, span);

	if (r)
		return r;
	if (b->depth == YAML_DEPTH_MAX) {
		mistake(b->source, span, "nested more than %d deep", YAML_DEPTH_MAX);
		return STOP;
	}
	node = node_new(b, kind, span);
	if (!node)
		return -ENOMEM;
	level = &b->stack[b->depth];
	*level = (struct level){.node = node};
	if (anchor && token_text(anchor, &level->anchor) == -ENOMEM)
		return -ENOMEM;
	b->depth++;
	return GO_ON;
}

static int on_close(struct builder *b, struct span span)
{
	struct level *level = &b->stack[--b->depth];
	struct yaml *node = level->node;
	int r;

	if (span.end > node->span.end)
		node->span.end = span.end;
	r = anchor_add(b, STEAL(level->anchor), node);
	return r ? r : place_node(b, node);
}

static int refuse_tag(struct builder *b, struct fy_event *event)
{
	struct fy_token *tag = fy_event_get_tag_token(event);
	const struct fy_mark *start = tag ? fy_token_start_mark(tag) : NULL;
	const struct fy_mark *end = tag ? fy_token_end_mark(tag) : NULL;

	if (!tag || !start || !end)
		return GO_ON;
	mistake(b->source, (struct span){start->input_pos, end->input_pos},
		"YAML tags have no meaning in a topology");
	return GO_ON;
}

static int on_event(struct builder *b, struct fy_event *event)
{
	struct span span = event_span(b, event);

	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (++b->documents == 1)
			return GO_ON;
		mistake(b->source, span, "a second document: a file is one topology");
		return STOP;
	case FYET_ALIAS:
		return on_alias(b, event, span);
	case FYET_SCALAR:
		refuse_tag(b, event);
		return on_scalar(b, event, span);
	case FYET_SEQUENCE_START:
		refuse_tag(b, event);
		return on_open(b, YAML_SEQUENCE, event->sequence_start.anchor, span);
	case FYET_MAPPING_START:
		refuse_tag(b, event);
		return on_open(b, YAML_MAPPING, event->mapping_start.anchor, span);
	case FYET_SEQUENCE_END:
	case FYET_MAPPING_END:
		return on_close(b, span);
	case FYET_NONE:
	case FYET_STREAM_START:
	case FYET_STREAM_END:
	case FYET_DOCUMENT_END:
		break;
	}
	return GO_ON;
}

/* What usually hides behind the parser's words. */
static const struct {
	const char *words, *help;
} parser_hints[] = {
	{"tab character", "indent with spaces: YAML does not take tabs"},
	{"nested block mapping on the same line", "put text that contains \": \" in quotes"},
	{"multiline plain key", "is a \":\" missing before this, or an indentation different?"},
	{"without a closing bracket", NULL},
	{"missing comma", NULL},
	{"mismatched flow", NULL},
	{"without closing quote", "the quote that opens it has no partner"},
	{"wrongly indented", "is the closing quote missing?"},
	{"cannot start any token", "put text that begins with this character in quotes"},
};

/* libfyaml's errors, one each; the first is the mistake, the others follow from it. */
static void tell_parser_error(struct builder *b, struct fy_diag *diag)
{
	const struct yaml *open = b->depth ? b->stack[b->depth - 1].node : NULL;
	struct fy_diag_error *error;
	void *iterator = NULL;
	size_t at, i;

	error = fy_diag_errors_iterate(diag, &iterator);
	if (!error || !error->msg) {
		mistake(b->source, (struct span){b->end, b->end}, "this is not YAML");
		return;
	}
	at = source_offset(b->source, (size_t)(error->line > 0 ? error->line : 0),
			   (size_t)(error->column > 0 ? error->column : 1));
	mistake(b->source, (struct span){at, at}, "%s", error->msg);
	for (i = 0; i < sizeof(parser_hints) / sizeof(parser_hints[0]); i++) {
		if (!strstr(error->msg, parser_hints[i].words))
			continue;
		if (parser_hints[i].help)
			remedy(b->source, "%s", parser_hints[i].help);
		else if (open)
			remedy(b->source,
			       "what opens on line %u, column %u is not closed before this",
			       open->place.line, open->place.column);
	}
}

/* libfyaml wants somewhere to print to, also when it collects: here is nowhere. */
static void print_nothing(struct fy_diag *diag, void *user, const char *text, size_t length)
{
	(void)diag;
	(void)user;
	(void)text;
	(void)length;
}

static int parse_events(struct builder *b, struct fy_parser *parser, struct fy_diag *diag)
{
	struct fy_event *event;
	int r = GO_ON;

	while (r == GO_ON) {
		event = fy_parser_parse(parser);
		if (!event)
			break;
		r = on_event(b, event);
		fy_parser_event_free(parser, event);
	}
	if (r < 0)
		return r;
	if (r == GO_ON && fy_parser_get_stream_error(parser))
		tell_parser_error(b, diag);
	/* What was open when reading stopped cannot be judged as a whole. */
	if (b->depth > 0)
		b->document->root = NULL;
	return 0;
}

int yaml_parse(struct source *source, struct yaml_document *ret)
{
	struct builder b = {.source = source, .document = ret};
	struct fy_diag_cfg diag_cfg;
	struct fy_parse_cfg cfg = {.flags = FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 |
					    FYPCF_DISABLE_MMAP_OPT};
	struct fy_diag *diag;
	struct fy_parser *parser;
	int r = -ENOMEM;

	*ret = (struct yaml_document){0};
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.output_fn = print_nothing;
	diag = fy_diag_create(&diag_cfg);
	if (!diag)
		return -ENOMEM;
	fy_diag_set_collect_errors(diag, true);
	cfg.diag = diag;
	parser = fy_parser_create(&cfg);
	if (parser && fy_parser_set_string(parser, source->text, source->length) == 0)
		r = parse_events(&b, parser, diag);
	builder_clear(&b);
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	if (r < 0)
		yaml_clear(ret);
	return r;
}
