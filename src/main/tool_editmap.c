/* editmap: asks for, sets (-u) or takes out (-x) one key of a database file. */
#include "map_tool.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"

enum { MAP_MODE = 0640 };

struct editmap {
	struct map_tool tool;
	const char *cf, *type_name, *map_name, *value;
	char *key;
	enum map_build_type type;
	bool keeps_case, with_nul;
	char action; /* 'q', 'u', 'x'; '\0': none */
};

static int
usage(void)
{
	fprintf(stderr, "Usage: editmap [-C cffile] [-N] [-f] [-q|-u|-x] maptype mapname key [ "
			"\"value ...\" ]\n");
	return EX_USAGE;
}

static bool
read_options(struct editmap *edit, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "C:fquxN")) != -1) {
		switch (letter) {
		case 'C':
			edit->cf = optarg;
			break;
		case 'f':
			edit->keeps_case = true;
			break;
		case 'N':
			edit->with_nul = true;
			break;
		case 'q':
		case 'u':
		case 'x':
			if (edit->action != '\0')
				return false;
			edit->action = (char)letter;
			break;
		default:
			return false;
		}
	}
	argc -= optind;
	argv += optind;
	if (edit->action == '\0' || argc < 3 || (edit->action == 'u') != (argc > 3))
		return false;
	edit->type_name = argv[0];
	edit->map_name = argv[1];
	edit->key = argv[2];
	edit->value = argv[3];
	return true;
}

static int
open_failed(struct editmap *edit, int error)
{
	return map_tool_open_failed(
	    &edit->tool, edit->type_name, edit->map_name, map_build_strerror(error));
}

static int
show_value(struct editmap *edit, const char *path, size_t key_length)
{
	int error;
	struct map_dump *dump =
	    map_dump_open(path, edit->type, strcmp(edit->type_name, "implicit") == 0, &error);
	const char *value;
	size_t length;

	if (dump == NULL)
		return open_failed(edit, error);
	error = map_dump_get(dump, edit->key, key_length, &value, &length);
	if (error == 0)
		printf("%.*s\n",
		    (int)(length > 0 && value[length - 1] == '\0' ? length - 1 : length), value);
	map_dump_close(dump);
	if (error == 0)
		return EX_OK;
	if (error != MAP_BUILD_NO_KEY)
		return open_failed(edit, error);
	fprintf(stderr, "editmap: couldn't find key %s in map %s\n", edit->key, edit->map_name);
	return EX_UNAVAILABLE;
}

static int
change_value(struct editmap *edit, const char *path, size_t key_length)
{
	struct map_build_request request = {.path = path,
	    .type = edit->type,
	    .keeps_old = access(path, F_OK) == 0,
	    .mode = MAP_MODE,
	    .sets_owner = geteuid() == 0,
	    .owner = edit->tool.trusted_uid};
	int error;
	struct map_build *build = map_build_open(&request, &error);

	if (build == NULL)
		return open_failed(edit, error);
	if (edit->action == 'u')
		error = map_build_put(build, edit->key, key_length, edit->value,
		    strlen(edit->value) + (edit->with_nul ? 1 : 0), true);
	else
		error = map_build_delete(build, edit->key, key_length);
	if (error == MAP_BUILD_NO_KEY) {
		fprintf(
		    stderr, "editmap: key %s doesn't exist in map %s\n", edit->key, edit->map_name);
		map_build_abandon(build);
		return EX_OK;
	}
	if (error != 0)
		map_build_abandon(build);
	else
		error = map_build_finish(build);
	if (error == 0)
		return EX_OK;
	fprintf(stderr, "editmap: error (%s) %s key %s in map %s\n", map_build_strerror(error),
	    edit->action == 'u' ? "updating" : "deleting", edit->key, edit->map_name);
	return EX_IOERR;
}

static int
run(struct editmap *edit)
{
	int status = map_tool_read_cf(&edit->tool, edit->cf, geteuid() == 0);
	const char *path, *unsafe;
	size_t key_length;

	if (status != EX_OK)
		return status;
	if (!map_tool_type(edit->type_name, &edit->type))
		return map_tool_no_type(&edit->tool, edit->type_name, edit->map_name);
	if (!edit->keeps_case)
		text_to_lower(edit->key);
	key_length = strlen(edit->key) + (edit->with_nul ? 1 : 0);
	path = map_tool_path(&edit->tool, edit->map_name);
	unsafe = map_tool_check(&edit->tool, path, edit->action != 'q');
	if (unsafe != NULL)
		return map_tool_open_failed(&edit->tool, edit->type_name, edit->map_name, unsafe);
	return edit->action == 'q' ? show_value(edit, path, key_length)
				   : change_value(edit, path, key_length);
}

int
main(int argc, char **argv)
{
	struct editmap edit = {.tool = {.program = "editmap", .arena = arena_create()},
	    .cf = SYSCONFDIR "/sendmail.cf"};
	int status;

	if (!read_options(&edit, argc, argv))
		return usage();
	status = run(&edit);
	arena_destroy(edit.tool.arena);
	return status;
}
