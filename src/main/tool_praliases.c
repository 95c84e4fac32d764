/* praliases: what the alias databases hold. */
#include "map_tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"

struct praliases {
	struct map_tool tool;
	char **keys; /* all when there are none */
	int key_count;
};

static int
usage(void)
{
	fprintf(stderr, "usage: praliases [-C cffile] [-f aliasfile] [key ...]\n");
	return EX_USAGE;
}

static int
without_nul(const char *bytes, size_t length)
{
	return (int)(length > 0 && bytes[length - 1] == '\0' ? length - 1 : length);
}

static void
show_key(struct map_dump *dump, const char *key)
{
	const char *value;
	size_t length;

	/* newaliases stores keys with their NUL, makemap without */
	if (map_dump_get(dump, key, strlen(key) + 1, &value, &length) == 0 ||
	    map_dump_get(dump, key, strlen(key), &value, &length) == 0)
		printf("%s:%.*s\n", key, without_nul(value, length), value);
	else
		printf("%s: No such key\n", key);
}

/* `type_name` NULL: whatever the file is. */
static void
show_file(struct praliases *show, const char *type_name, const char *file)
{
	enum map_build_type type = MAP_BUILD_HASH;
	const char *path = map_tool_path(&show->tool, file), *key, *value;
	size_t key_length, value_length;
	int error;
	struct map_dump *dump;

	if (type_name != NULL)
		map_tool_type(type_name, &type);
	dump = map_dump_open(path, type, type_name == NULL, &error);
	if (dump == NULL) {
		/* V8 looks for what kind of file there is, and finds none */
		fprintf(stderr, "praliases: %s: open: %s\n", file,
		    error == ENOENT && type_name == NULL ? "Unknown database type"
							 : map_build_strerror(error));
		return;
	}
	if (show->key_count > 0) {
		for (int i = 0; i < show->key_count; i++)
			show_key(dump, show->keys[i]);
	} else {
		while (map_dump_next(dump, &key, &key_length, &value, &value_length, &error))
			printf("%.*s:%.*s\n", without_nul(key, key_length), key,
			    without_nul(value, value_length), value);
		if (error != 0)
			fprintf(stderr, "praliases: %s: %s\n", file, map_build_strerror(error));
	}
	map_dump_close(dump);
}

/* "[class:][-options ]file" of option AliasFile. */
static void
show_entry(struct praliases *show, char *entry)
{
	char *file = strpbrk(entry, ":/"), *type_name = NULL;

	if (file != NULL && *file == ':') {
		type_name = entry;
		*file++ = '\0';
		if (strcmp(type_name, "hash") != 0 && strcmp(type_name, "btree") != 0) {
			fprintf(stderr, "praliases: Skipping non-file based alias type %s\n",
			    type_name);
			return;
		}
	} else {
		file = entry;
	}
	file = text_skip_space(file);
	while (*file == '-') {
		file += strcspn(file, " \t");
		file = text_skip_space(file);
	}
	text_trim_end(file);
	show_file(show, type_name, file);
}

static int
show_configured(struct praliases *show, const char *cf)
{
	int status = map_tool_read_cf(&show->tool, cf, true);
	char *list, *position;

	if (status != EX_OK || show->tool.alias_files == NULL)
		return status;
	list = arena_strdup(show->tool.arena, show->tool.alias_files);
	for (char *entry = strtok_r(list, ",", &position); entry != NULL;
	     entry = strtok_r(NULL, ",", &position))
		show_entry(show, text_skip_space(entry));
	return EX_OK;
}

int
main(int argc, char **argv)
{
	struct praliases show = {.tool = {.program = "praliases", .arena = arena_create()}};
	const char *cf = SYSCONFDIR "/sendmail.cf", *file = NULL;
	int letter, status = EX_OK;

	while ((letter = getopt(argc, argv, "C:f:")) != -1) {
		if (letter == 'C')
			cf = optarg;
		else if (letter == 'f')
			file = optarg;
		else
			return usage();
	}
	show.keys = argv + optind;
	show.key_count = argc - optind;
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	if (file != NULL && strchr(file, ':') != NULL)
		show_entry(&show, arena_strdup(show.tool.arena, file));
	else if (file != NULL)
		show_file(&show, NULL, file);
	else
		status = show_configured(&show, cf);
	arena_destroy(show.tool.arena);
	return status;
}
