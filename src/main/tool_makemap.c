/* makemap: text on standard input to a database file, or back (-u). */
#include "map_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"

enum { LINE_MAXIMUM = 1024, MAP_MODE = 0640 };

struct makemap {
	struct map_tool tool;
	const char *cf, *type_name, *map_name;
	enum map_build_type type;
	char comment, separator; /* separator '\0': blanks */
	bool keeps_case, with_nul, duplicates, replaces, appends, allows_empty, dumps, is_verbose;
	size_t cache_bytes;
	bool lists_types, lists_all, lists_suffixes;
};

static int
usage(void)
{
	fprintf(stderr,
	    "Usage: makemap [-C cffile] [-N] [-c cachesize] [-D commentchar]\n"
	    "               [-d] [-e] [-f] [-i type] [-l] [-o] [-r] [-s] [-t delimiter]\n"
	    "               [-u] [-v] type mapname\n");
	return EX_USAGE;
}

static bool
read_options(struct makemap *make, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "C:LNc:D:defi:lorst:uvx")) != -1) {
		switch (letter) {
		case 'C':
			make->cf = optarg;
			break;
		case 'L':
			make->lists_all = true;
			break;
		case 'N':
			make->with_nul = true;
			break;
		case 'c':
			make->cache_bytes = (size_t)strtoul(optarg, NULL, 10);
			break;
		case 'D':
			make->comment = *optarg;
			break;
		case 'd':
			make->duplicates = true;
			break;
		case 'e':
			make->allows_empty = true;
			break;
		case 'f':
			make->keeps_case = true;
			break;
		case 'l':
			make->lists_types = true;
			break;
		case 'o':
			make->appends = true;
			break;
		case 'r':
			make->replaces = true;
			break;
		case 't':
			if (*optarg == '\0')
				fprintf(stderr, "Invalid separator\n");
			make->separator = *optarg;
			break;
		case 'u':
			make->dumps = true;
			break;
		case 'v':
			make->is_verbose = true;
			break;
		case 'x':
			make->lists_suffixes = true;
			break;
		case 'i': /* the type that implicit maps have: there is one */
		case 's': /* unsafe directories are told and used anyway */
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool
is_separator(const struct makemap *make, char byte)
{
	return make->separator != '\0' ? byte == make->separator
				       : text_is_space((unsigned char)byte);
}

static void
say(const struct makemap *make, unsigned long number, const char *what, const char *key,
    const char *after)
{
	fflush(stdout);
	fprintf(
	    stderr, "makemap: %s: line %lu: %s%s%s\n", make->map_name, number, what, key, after);
}

/* One line into the map; false: the line was wrong and told. */
static bool
store_line(const struct makemap *make, struct map_build *build, char *line, unsigned long number)
{
	char *key = line, *value = line;
	size_t nul = make->with_nul ? 1 : 0;
	int error;

	if (*line == '\0' || (*line == make->comment && make->comment != '\0'))
		return true;
	if (make->separator == '\0' && text_is_space((unsigned char)*line)) {
		say(make, number, "syntax error (leading space)", "", "");
		return false;
	}
	while (*value != '\0' && !is_separator(make, *value))
		value++;
	if (*value != '\0')
		*value++ = '\0';
	while (*value != '\0' && is_separator(make, *value))
		value++;
	if (!make->keeps_case)
		text_to_lower(key);
	if (!make->allows_empty && *value == '\0') {
		say(make, number, "no RHS for LHS ", key, "");
		return false;
	}
	if (make->is_verbose)
		printf("key=`%s', val=`%s'\n", key, value);
	error = map_build_put(
	    build, key, strlen(key) + nul, value, strlen(value) + nul, make->replaces);
	if (error == 0)
		return true;
	if (error == MAP_BUILD_DUPLICATE)
		say(make, number, "key ", key, ": duplicate key");
	else
		say(make, number, "key ", key,
		    arena_printf(make->tool.arena, ": put error: %s", map_build_strerror(error)));
	return false;
}

/* V8's lines: pieces of what is too long are each told, the last piece counts as a line of its own. */
static bool
store_input(const struct makemap *make, struct map_build *build)
{
	char line[LINE_MAXIMUM];
	bool good = true;

	for (unsigned long number = 1; fgets(line, sizeof line, stdin) != NULL; number++) {
		char *end = strchr(line, '\n');

		if (end != NULL) {
			*end = '\0';
		} else if (!feof(stdin)) {
			fflush(stdout);
			fprintf(stderr, "makemap: %s: line %lu: line too long (%d bytes max)\n",
			    make->map_name, number, LINE_MAXIMUM);
			good = false;
			continue;
		}
		if (!store_line(make, build, line, number))
			good = false;
	}
	return good;
}

static int
build_map(struct makemap *make, const char *path)
{
	const char *unsafe = map_tool_check(&make->tool, path, true);
	struct map_build_request request = {.path = path,
	    .type = make->type,
	    .keeps_old = make->appends,
	    .duplicates = make->duplicates,
	    .cache_bytes = make->cache_bytes,
	    .mode = MAP_MODE,
	    .sets_owner = geteuid() == 0,
	    .owner = make->tool.trusted_uid};
	struct map_build *build;
	int error;
	bool good;

	if (unsafe != NULL)
		return map_tool_open_failed(&make->tool, make->type_name, make->map_name, unsafe);
	build = map_build_open(&request, &error);
	if (build == NULL)
		return map_tool_open_failed(
		    &make->tool, make->type_name, make->map_name, map_build_strerror(error));
	good = store_input(make, build);
	error = map_build_finish(build);
	if (error != 0) {
		fprintf(stderr, "makemap: %s: %s\n", make->map_name, map_build_strerror(error));
		return EX_IOERR;
	}
	return good ? EX_OK : EX_DATAERR;
}

static int
without_nul(const char *bytes, size_t length)
{
	return (int)(length > 0 && bytes[length - 1] == '\0' ? length - 1 : length);
}

static int
dump_map(struct makemap *make, const char *path)
{
	const char *unsafe = map_tool_check(&make->tool, path, false), *key, *value;
	struct map_dump *dump;
	size_t key_length, value_length;
	int error;

	if (unsafe != NULL)
		return map_tool_open_failed(&make->tool, make->type_name, make->map_name, unsafe);
	dump = map_dump_open(path, make->type, false, &error);
	if (dump == NULL)
		return map_tool_open_failed(
		    &make->tool, make->type_name, make->map_name, map_build_strerror(error));
	while (map_dump_next(dump, &key, &key_length, &value, &value_length, &error))
		printf("%.*s%c%.*s\n", without_nul(key, key_length), key,
		    make->separator != '\0' ? make->separator : '\t',
		    without_nul(value, value_length), value);
	map_dump_close(dump);
	if (error != 0) {
		fprintf(stderr, "makemap: %s: %s\n", make->map_name, map_build_strerror(error));
		return EX_IOERR;
	}
	return EX_OK;
}

static int
run(struct makemap *make)
{
	const char *path;
	/* what an administrator runs as root must know the file's owner; others make files of their own */
	int status = map_tool_read_cf(&make->tool, make->cf, geteuid() == 0);

	if (status != EX_OK)
		return status;
	if (*make->type_name == '\0' || text_equal_nocase(make->type_name, "cf")) {
		make->type_name = map_tool_type_in_cf(
		    &make->tool, make->cf, make->map_name, *make->type_name == 'C');
		if (make->type_name == NULL) {
			fprintf(stderr, "makemap: mapfile %s: not found in %s\n", make->map_name,
			    make->cf);
			return EX_DATAERR;
		}
	}
	if (!map_tool_type(make->type_name, &make->type))
		return map_tool_no_type(&make->tool, make->type_name, make->map_name);
	path = map_tool_path(&make->tool, make->map_name);
	return make->dumps ? dump_map(make, path) : build_map(make, path);
}

int
main(int argc, char **argv)
{
	struct makemap make = {.tool = {.program = "makemap", .arena = arena_create()},
	    .cf = SYSCONFDIR "/sendmail.cf",
	    .comment = '#'};
	int status;

	if (!read_options(&make, argc, argv))
		return usage();
	if (make.lists_types || make.lists_all || make.lists_suffixes) {
		printf("%s", make.lists_all ? "cf\nCF\n" : "");
		printf(make.lists_types || make.lists_all ? "hash\nbtree\nimplicit\n"
							  : "hash:db\nbtree:db\nimplicit:\n");
		return EX_OK;
	}
	if (argc - optind != 2)
		return usage();
	make.type_name = argv[optind];
	make.map_name = argv[optind + 1];
	status = run(&make);
	if (fflush(stdout) != 0 && status == EX_OK)
		status = EX_IOERR;
	arena_destroy(make.tool.arena);
	return status;
}
