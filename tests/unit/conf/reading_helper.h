/*
 * Reads a cf given as text, for unit tests of conf: messages are collected, one a line.
 */
#ifndef TEST_READING_HELPER_H
#define TEST_READING_HELPER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "conf/config.h"

#define CF_START                                                  \
	"V10/Berkeley\nDjhost.example.com\nO QueueDirectory=/q\n" \
	"Mlocal, P=/bin/x, F=lmn, A=x $u\nMprog, P=/bin/sh, F=l, A=sh -c $u\n"

static struct str messages;

static void
keep_message(void *context, const char *message, enum config_message kind)
{
	const char *place = strstr(message, ": line ");

	(void)context;
	/* the file is a temporary one: only its line is of interest */
	str_printf(&messages, "%s%s\n", kind != CONFIG_ERROR ? "warning: " : "",
	    place != NULL ? place + 2 : message);
}

static struct config *
read_text_with(const char *start, const char *text, const char *const *options)
{
	char file[] = "/tmp/pillarbox-conf-XXXXXX";
	int fd = mkstemp(file);
	struct config *config;

	str_clear(&messages);
	if (fd < 0 || write(fd, start, strlen(start)) < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
	config = config_read(&(struct config_request){
	    .file = file, .report = keep_message, .option_settings = options});
	unlink(file);
	return config;
}

static struct config *
read_text(const char *text)
{
	return read_text_with(CF_START, text, NULL);
}

#endif
