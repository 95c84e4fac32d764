/*
 * smrsh: the shell for |programs of aliases and .forward files, for hosts where users may not run
 * whatever they like by mail.  Usage: smrsh -c COMMAND
 *
 * Only programs of one directory are run, whatever path a command gives, and no shell is asked to
 * look at it: words are split at blanks and quotes, `&&` and `||` join commands, and anything else
 * that a shell would act on is refused.  `exit N` and `echo` are understood.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"

enum { WORDS_MAXIMUM = 100 };

/* The first that is there: Red Hat's, Debian's, the old place. */
static const char *const directories[] = {"/etc/smrsh", "/usr/lib/sm.bin", "/usr/adm/sm.bin"};

struct command {
	char *words[WORDS_MAXIMUM + 1];
	size_t count;
};

static int
refuse(const char *what, const char *reason)
{
	fprintf(stderr, "smrsh: \"%s\" not available for sendmail programs (%s)\n", what, reason);
	log_at(0, LOG_CRIT, "uid %ld: attempt to use \"%s\" (%s)", (long)getuid(), what, reason);
	return EX_UNAVAILABLE;
}

/* One that others could put programs into is none. */
static const char *
find_directory(void)
{
	struct stat status;

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		if (stat(directories[i], &status) == 0 && S_ISDIR(status.st_mode))
			return status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0
				   ? directories[i]
				   : NULL;
	}
	return NULL;
}

/* Copies one word without its quotes to *out; false when a quote is not closed. */
static bool
take_word(char **at, char **out)
{
	char quote = '\0';

	for (; **at != '\0' && (quote != '\0' || !text_is_space((unsigned char)**at)); (*at)++) {
		if (quote == '\0' && (**at == '"' || **at == '\'')) {
			quote = **at;
		} else if (**at == quote) {
			quote = '\0';
		} else {
			if (**at == '\\' && quote != '\'' && (*at)[1] != '\0')
				(*at)++;
			*(*out)++ = **at;
		}
	}
	return quote == '\0';
}

/* The words of one command, in place; NULL, or what is wrong. */
static const char *
split(char *text, struct command *command)
{
	char *out = text;

	command->count = 0;
	for (char *at = text_skip_space(text); *at != '\0'; at = text_skip_space(at)) {
		bool is_end;

		if (command->count == WORDS_MAXIMUM)
			return "too many words";
		command->words[command->count++] = out;
		if (!take_word(&at, &out))
			return "unbalanced quotes";
		is_end = *at == '\0';
		if (!is_end)
			at++;
		*out++ = '\0';
		if (is_end)
			break;
	}
	command->words[command->count] = NULL;
	return command->count == 0 ? "no command" : NULL;
}

static int
echo(const struct command *command)
{
	for (size_t i = 1; i < command->count; i++)
		printf("%s%s", i > 1 ? " " : "", command->words[i]);
	printf("\n");
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static int
wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return EX_OSERR;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return 128 + WTERMSIG(status); /* as shells say it */
}

static int
execute(struct command *command, const char *directory)
{
	static char *const environment[] = {"PATH=/bin:/usr/bin", "AGENT=sendmail", NULL};
	const char *slash, *name;
	struct str path = {0};
	struct stat status;
	pid_t child;

	if (strcmp(command->words[0], "exec") == 0 && command->count > 1) {
		memmove(
		    command->words, command->words + 1, command->count * sizeof *command->words);
		command->count--;
	}
	slash = strrchr(command->words[0], '/');
	name = slash != NULL ? slash + 1 : command->words[0];
	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return refuse(command->words[0], "no program");
	str_printf(&path, "%s/%s", directory, name);
	if (stat(path.data, &status) < 0 || !S_ISREG(status.st_mode))
		return refuse(path.data, "stat failed");
	if ((status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		return refuse(path.data, "not executable");
	fflush(NULL);
	child = fork();
	if (child < 0)
		return EX_OSERR;
	if (child == 0) {
		execve(path.data, command->words, environment);
		fprintf(stderr, "smrsh: %s: %s\n", path.data, strerror(errno));
		_exit(EX_OSFILE);
	}
	str_free(&path);
	return wait_for(child);
}

/* One command; *ends: it was `exit`. */
static int
run_one(char *text, const char *directory, int last, bool *ends)
{
	struct command command;
	const char *wrong = split(text, &command);

	if (wrong != NULL)
		return refuse(text, wrong);
	if (strcmp(command.words[0], "exit") == 0) {
		*ends = true;
		return command.count > 1 ? atoi(command.words[1]) & 0xff : last;
	}
	if (strcmp(command.words[0], "echo") == 0)
		return echo(&command);
	return execute(&command, directory);
}

/* The next `&&` or `||`; they count in quotes as well, which only refuses more. */
static char *
find_joint(char *text)
{
	for (; *text != '\0'; text++) {
		if ((text[0] == '&' && text[1] == '&') || (text[0] == '|' && text[1] == '|'))
			return text;
	}
	return NULL;
}

/* What a shell would act on, other than a joint; '\0' when there is none. */
static char
find_special(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((text[0] == '&' || text[0] == '|') && text[1] == text[0])
			text++;
		else if (strchr("<>|^();&$`\r\n", *text) != NULL)
			return *text;
	}
	return '\0';
}

static int
run_all(char *text, const char *directory)
{
	char joint = '\0';
	bool ends = false;
	int status = EX_OK;

	while (text != NULL && !ends) {
		char *next = find_joint(text), found = next != NULL ? *next : '\0';

		if (next != NULL) {
			*next = '\0';
			next += 2;
		}
		if (joint == '\0' || (joint == '&') == (status == EX_OK))
			status = run_one(text, directory, status, &ends);
		joint = found;
		text = next;
	}
	return status;
}

int
main(int argc, char **argv)
{
	const char *command = NULL, *directory;
	int letter, status;
	char *copy;

	log_open("smrsh");
	while ((letter = getopt(argc, argv, "c:")) != -1) {
		if (letter != 'c') {
			fprintf(stderr, "usage: smrsh -c command\n");
			return EX_USAGE;
		}
		command = optarg;
	}
	if (command == NULL || optind < argc) {
		fprintf(stderr, "usage: smrsh -c command\n");
		return EX_USAGE;
	}
	if (find_special(command) != '\0') {
		fprintf(stderr, "smrsh: cannot use %c in command\n", find_special(command));
		log_at(0, LOG_CRIT, "uid %ld: attempt to use %c in command: %s", (long)getuid(),
		    find_special(command), command);
		return EX_UNAVAILABLE;
	}
	directory = find_directory();
	if (directory == NULL)
		return refuse(command, "no directory of programs, or others may write to it");
	copy = check_strdup(command);
	status = run_all(copy, directory);
	free(copy);
	return status;
}
