#include "client/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

static bool
word_is(const char *line, const char *word)
{
	size_t length = strlen(word);

	return text_starts_nocase(line, word) &&
	       (line[length] == '\0' || line[length] == ' ' || line[length] == '=');
}

void
extensions_add(struct extensions *offers, struct arena *arena, const char *line)
{
	static const struct {
		const char *word;
		size_t flag;
	} flags[] = {
	    {"PIPELINING", offsetof(struct extensions, pipelining)},
	    {"SIZE", offsetof(struct extensions, size)},
	    {"8BITMIME", offsetof(struct extensions, eight_bit_mime)},
	    {"DSN", offsetof(struct extensions, dsn)},
	    {"STARTTLS", offsetof(struct extensions, starttls)},
	    {"AUTH", offsetof(struct extensions, auth)},
	    {"ENHANCEDSTATUSCODES", offsetof(struct extensions, enhanced_codes)},
	    {"CHUNKING", offsetof(struct extensions, chunking)},
	};
	long size;

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		if (word_is(line, flags[i].word))
			*(bool *)((char *)offers + flags[i].flag) = true;
	}
	if (word_is(line, "SIZE") &&
	    text_to_number(text_skip_space(line + 4), 1, 0x7fffffffL, &size))
		offers->size_maximum = size;
	/* old servers say AUTH=LOGIN as well, or only that */
	if (word_is(line, "AUTH") && line[4] != '\0')
		offers->mechanisms = arena_printf(arena, "%s%s%s", offers->mechanisms,
		    *offers->mechanisms != '\0' ? " " : "", line + 5);
}

static void
take_line(struct client *c, const char *text)
{
	extensions_add(&c->offers, c->arena, text);
}

/* V8: a server that answers to EHLO with our own name is us. */
static bool
loops_back(const struct client *c, const struct reply *hello)
{
	const char *own = config_macro(c->config, c->macros, "j");
	size_t length;

	if (own == NULL || *own == '\0' || mailer_has(c->mailer, 'k') || c->is_lmtp)
		return false;
	length = strlen(own);
	return text_starts_nocase(hello->text, own) &&
	       (hello->text[length] == ' ' || hello->text[length] == '\0');
}

bool
client_greet(struct client *c)
{
	struct reply banner;

	client_expect(c, &banner, STAGE_BANNER, c->config->options.timeouts.initial, NULL);
	client_sync(c);
	if (c->verdict.code != 0)
		return false;
	c->is_esmtp =
	    !mailer_has(c->mailer, '2') &&
	    (mailer_has(c->mailer, 'a') || strstr(banner.text, "ESMTP") != NULL || c->is_lmtp);
	return true;
}

/* The answer to EHLO or HELO has been taken. */
static bool
is_another_host(struct client *c, const struct reply *hello)
{
	if (c->verdict.code != 0)
		return false;
	if (!loops_back(c, hello))
		return true;
	c->may_quit = true;
	client_end_self(c,
	    arena_printf(c->arena,
		"553 5.3.5 %s config error: mail loops back to me (MX problem?)", c->host),
	    "553 5.3.5 system config error");
	return false;
}

bool
client_hello(struct client *c)
{
	const struct timeouts *timeouts = &c->config->options.timeouts;
	const char *name = c->config->options.helo_name;
	struct reply hello;

	if (name == NULL || *name == '\0')
		name = config_macro(c->config, c->macros, "j");
	if (name == NULL || *name == '\0')
		name = "localhost";
	c->offers = (struct extensions){.mechanisms = ""};
	if (c->is_esmtp) {
		c->each_line = take_line;
		client_ask(c, &hello, c->is_lmtp ? STAGE_HELO : STAGE_EHLO,
		    c->is_lmtp ? timeouts->lhlo : timeouts->helo, "%s %s",
		    c->is_lmtp ? "LHLO" : "EHLO", name);
		c->each_line = NULL;
		if (reply_is(&hello, 2) || c->verdict.code != 0)
			return is_another_host(c, &hello);
		c->is_esmtp = false;
	}
	client_ask(c, &hello, STAGE_HELO, timeouts->helo, "HELO %s", name);
	return is_another_host(c, &hello);
}
