/* SPDX-License-Identifier: MIT */
/*
 * Loading with the allocator failing after 0, 1, 2 ... blocks: each time either
 * -ENOMEM and no model, or, where only words were lost, the usual outcome.
 *
 * The allocator of glibc is put behind one that counts, for our own thread and code
 * only: libfyaml 0.7.12 crashes without memory (fy_parse_input_append() uses what it
 * did not get), which is not ours to mend. The sanitizers bring their own allocator
 * and find what is lost; there each file is loaded once.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "support/topo.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__has_feature)
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define COUNTED 0
#elif __has_feature(address_sanitizer)
#define COUNTED 0
#else
#define COUNTED 1
#endif

#if COUNTED
static _Thread_local long blocks_left = -1; /* -1: as many as wanted */
static _Thread_local bool refused;
static _Thread_local long live; /* blocks handed out and not given back, by whomever */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *block);

/* From the linker: where the program's own code is. */
extern const char __executable_start[], etext[];

static bool refuse(const char *caller)
{
	if (blocks_left < 0 || caller < __executable_start || caller >= etext)
		return false;
	if (blocks_left > 0) {
		blocks_left--;
		return false;
	}
	refused = true;
	errno = ENOMEM;
	return true;
}

static void *counted(void *block)
{
	live += block != NULL;
	return block;
}

void *malloc(size_t size)
{
	return refuse(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return refuse(__builtin_return_address(0)) ? NULL : counted(__libc_calloc(count, size));
}

static void *grow(void *old, size_t size)
{
	void *block = __libc_realloc(old, size);

	return old ? block : counted(block);
}

void *realloc(void *old, size_t size)
{
	return refuse(__builtin_return_address(0)) ? NULL : grow(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
	if (size && count > PTRDIFF_MAX / size)
		return NULL;
	return refuse(__builtin_return_address(0)) ? NULL : grow(old, count * size);
}

void free(void *block)
{
	live -= block != NULL;
	__libc_free(block);
}

char *strndup(const char *text, size_t size)
{
	size_t length = strnlen(text, size);
	char *copy =
		refuse(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(length + 1));

	if (!copy)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *strdup(const char *text)
{
	size_t length = strlen(text);
	char *copy =
		refuse(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(length + 1));

	return copy ? memcpy(copy, text, length + 1) : NULL;
}

__attribute__((format(printf, 2, 0))) static int print_new(char **ret, const char *format,
							   va_list args)
{
	va_list again;
	int length;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	*ret = length < 0 ? NULL : counted(__libc_malloc((size_t)length + 1));
	return *ret ? vsnprintf(*ret, (size_t)length + 1, format, args) : -1;
}

int vasprintf(char **ret, const char *format, va_list args)
{
	return refuse(__builtin_return_address(0)) ? -1 : print_new(ret, format, args);
}

int asprintf(char **ret, const char *format, ...)
{
	va_list args;
	int length;

	if (refuse(__builtin_return_address(0)))
		return -1;
	va_start(args, format);
	length = print_new(ret, format, args);
	va_end(args);
	return length;
}
#endif

static const char good[] =
	"# What happens without memory?\n"
	"name: lab\n"
	"networks: {internet: {type: internet}, home: {subnet: 192.168.1.0/24}}\n"
	"nats: {mine: {base: symmetric}, file: {rules: " TEST_SOURCE_DIR "/README.md}}\n"
	"nodes:\n"
	"  server: {interfaces: {internet: [9.9.9.9, 9.9.9.10]}}\n"
	"  router: {interfaces: {internet: 1.2.3.4, home: 192.168.1.254}, nat: {base: mine}}\n"
	"  pc: {interfaces: &here {home: 192.168.1.1}}\n"
	"steps:\n"
	"  - start: {node: server, agent: stun-server}\n"
	"  - start: {node: server, command: [sh, -c, 'echo ''up'''], ready: up, as: echo}\n"
	"  - run: {node: pc, agent: detect, binding: true}\n"
	"    expect: {type: symmetric, nat: true, lost: 0}\n"
	"  - run: {node: pc, command: date}\n"
	"    expect: {exit: 0, stdout: '[0-9]+'}\n"
	"  - wait: echo\n"
	"    expect: fails\n";

static const char wrong[] = "name: lab\n"
			    "networks: {internet: {type: internett}, home: {subnet: 1.2.3.4}}\n"
			    "nodes: {pc: {interfaces: {hom: 1.2.3.4}, nat: symetric, name: pc}}\n"
			    "steps: [{run: {node: pd, agent: detct}, expect: 3}, {stop: pc/x}]\n";

static const char broken[] = "name: lab\nnetworks: {internet: [}\n";

#if COUNTED
/* Load with @blocks blocks of memory. Returns whether more were wanted. */
static bool load_with(long blocks, const char *text, int usual)
{
	struct diag d = {0};
	struct topo *topo = NULL;
	bool wanted_more;
	long before = live;
	int r;

	refused = false;
	blocks_left = blocks;
	r = topo_load_text("test.yaml", text, strlen(text), &topo, &d);
	blocks_left = -1;
	wanted_more = refused;
	cr_expect(r == usual || (wanted_more && r == -ENOMEM), "%d after %ld blocks", r, blocks);
	cr_expect_eq(topo != NULL, r == 0, "%d after %ld blocks, model %p", r, blocks,
		     (void *)topo);
	cr_expect(r == 0 || d.errors > 0, "after %ld blocks no error was counted", blocks);
	topo_free(topo);
	diag_clear(&d);
	cr_expect_eq(live, before, "%ld blocks were lost after %ld blocks", live - before, blocks);
	return wanted_more;
}

static void walk(const char *text, int usual)
{
	long blocks = 0;

	while (load_with(blocks, text, usual))
		blocks++;
	cr_expect_gt(blocks, 20, "only %ld blocks: nothing was walked", blocks);
}
#else
/* The sanitizer counts the blocks. */
static void walk(const char *text, int usual)
{
	struct topo *topo = NULL;

	cr_expect_eq(topo_load_text("test.yaml", text, strlen(text), &topo, NULL), usual);
	topo_free(topo);
}
#endif

Test(memory, a_good_topology_ends_well_or_without_memory)
{
	walk(good, 0);
}

Test(memory, mistakes_are_told_as_far_as_memory_goes)
{
	walk(wrong, -EINVAL);
}

Test(memory, a_parser_that_gives_up_leaves_nothing)
{
	walk(broken, -EINVAL);
}
