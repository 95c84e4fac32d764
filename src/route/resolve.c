#include "route/resolve.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "base/trace.h"

enum { ADDRESS_MAXIMUM = 255, MACRO_MARK = 0x81 /* V8's byte for a macro's `$` */ };
enum { SET_PARSE = 0, SET_SENDER, SET_RECIPIENT, SET_CANONIFY, SET_FINAL, SET_LOCAL };

static const char *
lower_copy(struct rule_context *context, const char *text)
{
	char *copy = arena_strdup(context->arena, text);

	text_to_lower(copy);
	return copy;
}

/* V8's complaint about what its rules answered; it is the cf's fault. */
static bool
refuse(
    struct rule_context *context, struct resolved *resolved, const char *format, const char *name)
{
	char *text = arena_printf(context->arena, format, name);

	rule_report(context, EX_SOFTWARE, "buildaddr: %s", text);
	resolved->error =
	    verdict_make(context->arena, 554, "5.3.5", EX_UNAVAILABLE, "buildaddr: %s", text);
	resolved->is_error_mailer = true;
	resolved->host = resolved->user = "";
	return false;
}

/* V8: `X... text`, but only with codes that are about an address. */
static void
report_error(struct rule_context *context, const char *address, const struct verdict *error)
{
	static const int codes[] = {250, 252, 450, 550, 553};
	bool is_about_address = false;

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		is_about_address |= error->code == codes[i];
	if (!is_about_address)
		rule_report(context, error->exit_status, "%s", error->text);
	else
		rule_report(context, error->exit_status, "%s... %s", rule_shorten(context, address),
		    error->text);
}

/* What stands for a mailer of its own in the user part: |program, /file, :include:list. */
static const struct mailer *
special_mailer(
    const struct config *config, const struct mailer *mailer, const char *user, bool *is_include)
{
	*is_include = false;
	if (*user == '"')
		user++;
	if (*user == '|' && mailer_has(mailer, '|') && config->prog_mailer != NULL)
		return config->prog_mailer;
	if (*user == '/' && mailer_has(mailer, '/') && config->file_mailer != NULL)
		return config->file_mailer;
	if (*user == ':' && mailer_has(mailer, ':') && config->include_mailer != NULL &&
	    text_starts_nocase(user, ":include:")) {
		*is_include = true;
		return config->include_mailer;
	}
	return mailer;
}

static void
run(struct rule_context *context, int set, struct tokens *tokens, struct resolved *resolved)
{
	if (rule_run(context, set, tokens) == EX_TEMPFAIL)
		resolved->is_deferred = true;
}

/* The user part as the mailer is to see it. */
static void
rewrite_user(
    struct rule_context *context, struct tokens *user, unsigned what, struct resolved *resolved)
{
	const struct config *config = context->config;
	const struct mailer *mailer = resolved->mailer;
	bool is_include;
	const char *joined = token_join_text(user->items, user->count, ' ', context->arena);

	if (mailer_has(mailer, '@') && joined[0] == '@') {
		user->items++;
		user->count--;
		joined++;
	}
	mailer = special_mailer(config, mailer, joined, &is_include);
	resolved->mailer = mailer;
	if (is_include) {
		/* a file name, no address: sets have no part in it */
		joined = token_unquote(context->arena, joined);
		resolved->user = joined + strlen(":include:");
		return;
	}
	config_set_macro(config, context->macros, "h", resolved->host);
	if (config->level >= 10 || (what & (RESOLVE_SENDER | RESOLVE_HEADER)) == 0) {
		run(context, SET_RECIPIENT, user, resolved);
		if (mailer->recipient_envelope > 0)
			run(context, mailer->recipient_envelope, user, resolved);
	}
	run(context, SET_FINAL, user, resolved);
	resolved->user = rule_text(context, user->items, user->count);

	if (!mailer_has(mailer, 'u'))
		resolved->user = lower_copy(context, resolved->user);
	if (!mailer_has(mailer, 'h'))
		resolved->host = lower_copy(context, resolved->host);
}

/* From the answer of set 0 or 5 to a mailer, host and user. */
static bool
read_answer(struct rule_context *context, const char *address, const struct tokens *tokens,
    unsigned what, struct resolved *resolved)
{
	struct rule_triple triple;

	rule_triple(context, tokens, &triple);
	if (!triple.is_triple || triple.mailer == NULL)
		return refuse(context, resolved, "no mailer in parsed address%s", "");
	if (!triple.has_user)
		return refuse(context, resolved, "no user%s", "");
	resolved->host = triple.host;
	if (text_equal_nocase(triple.mailer, "error")) {
		resolved->is_error_mailer = true;
		resolved->user = triple.user;
		resolved->error = rule_error(context, &triple);
		report_error(context, address, &resolved->error);
		return false;
	}
	resolved->mailer = config_find_mailer(context->config, triple.mailer);
	if (resolved->mailer == NULL)
		return refuse(context, resolved, "unknown mailer %s", triple.mailer);
	if (!triple.has_host && !mailer_has(resolved->mailer, 'l')) {
		resolved->mailer = NULL;
		return refuse(context, resolved, "no host%s", "");
	}
	rewrite_user(context, &triple.user_tokens, what, resolved);
	return true;
}

const char *
resolve_clean(struct rule_context *context, const char *address, bool is_recipient)
{
	const char *prefix = is_recipient ? rule_shorten(context, address) : "";
	const char *dots = is_recipient ? "... " : "";
	char *copy = arena_strdup(context->arena, address);
	bool has_high = false;

	if (strlen(address) > ADDRESS_MAXIMUM) {
		rule_report(context, EX_OK, "%s%sAddress \"%.*s\" too long (%d bytes max)", prefix,
		    dots, ADDRESS_MAXIMUM, address, ADDRESS_MAXIMUM);
		return NULL;
	}
	for (char *at = copy; *at != '\0'; at++) {
		if (((unsigned char)*at & 0xe0) == 0x80) {
			*at = '?';
			has_high = true;
		}
	}
	if (!has_high)
		return copy;
	rule_report(context, EX_USAGE, "8-bit character in mailbox address \"%s\"", copy);
	return NULL;
}

/* Control characters that are left in the end become `?`. */
static void
clean_user(struct rule_context *context, struct resolved *resolved)
{
	char *copy = arena_strdup(context->arena, resolved->user);
	bool has_control = false;

	for (char *at = copy; *at != '\0'; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f) {
			*at = '?';
			has_control = true;
		}
	}
	if (!has_control)
		return;
	resolved->user = copy;
	rule_report(context, EX_USAGE,
	    "Syntax error in mailbox address \"%s\" (non-printable character)", copy);
}

/* The hook that chooses a queue group for a recipient. */
static void
find_queue_group(struct rule_context *context, unsigned what, struct resolved *resolved)
{
	struct rule_result result;

	if ((what & (RESOLVE_SENDER | RESOLVE_HEADER)) != 0)
		return;
	rule_check(context, "queuegroup", resolved->user, NULL, &result);
	if (result.answer == RULE_OTHER)
		resolved->queue_group = result.text;
}

/* V8's -d20.1; much of what it shows has no counterpart here and is as for a fresh address. */
static void
trace_resolved(const char *address, const struct resolved *resolved)
{
	if (!trace_on(20, 1))
		return;
	printf("parseaddr-->%p=%s:\n", (const void *)resolved, address);
	printf("\tmailer %d (%s), host `%s'\n",
	    resolved->mailer != NULL ? resolved->mailer->number : -1,
	    resolved->mailer != NULL ? resolved->mailer->name : "*error*", resolved->host);
	printf("\tuser `%s', ruser `<null>'\n", resolved->user);
	printf("\tstate=OK, next=0x0, alias 0x0, uid 0, gid 0\n"
	       "\tflags=100180<QPINGONFAILURE,QPINGONDELAY,QSECURE>\n"
	       "\towner=(none), home=\"(none)\", fullname=\"(none)\"\n"
	       "\torcpt=\"(none)\", statmta=(none), status=(none)\n"
	       "\tfinalrcpt=\"(none)\"\n"
	       "\trstatus=\"(none)\"\n"
	       "\tstatdate=(none)\n");
}

bool
resolve_address(
    struct rule_context *context, const char *address, unsigned what, struct resolved *resolved)
{
	const char *cleaned = resolve_clean(context, address, true);
	struct tokens tokens;

	if (trace_on(20, 1))
		printf("\n--parseaddr(%s)\n", address);
	*resolved = (struct resolved){.host = "", .user = "", .canonical = address};
	if (cleaned == NULL || !rule_scan(context, cleaned, '\0', false, &tokens, NULL)) {
		resolved->error = verdict_make(context->arena, 553, "5.1.3", EX_NOUSER,
		    "%s... User address required", address);
		return false;
	}
	resolved->is_parsed = true;
	run(context, SET_CANONIFY, &tokens, resolved);
	run(context, SET_PARSE, &tokens, resolved);
	resolved->canonical = rule_text(context, tokens.items, tokens.count);
	if (!read_answer(context, address, &tokens, what, resolved))
		return false;
	clean_user(context, resolved);
	find_queue_group(context, what, resolved);
	trace_resolved(address, resolved);
	return true;
}

bool
resolve_local(struct rule_context *context, const struct resolved *local, struct resolved *resolved)
{
	struct tokens tokens;

	*resolved = (struct resolved){.host = "", .user = "", .canonical = local->user};
	if (context->config->rulesets[SET_LOCAL].first == NULL ||
	    !rule_scan(context, local->user, '\0', false, &tokens, NULL))
		return false;
	config_set_macro(context->config, context->macros, "h", local->host);
	config_set_macro(context->config, context->macros, "u", local->user);
	config_set_macro(context->config, context->macros, "addr_type", "e r");
	run(context, SET_LOCAL, &tokens, resolved);
	config_set_macro(context->config, context->macros, "addr_type", NULL);
	if (tokens.count == 0 || tokens.items[0].op != TOKEN_NET)
		return false;
	resolved->is_parsed = true;
	return read_answer(context, local->user, &tokens, 0, resolved);
}

const char *
resolve_strip_quotes(struct arena *arena, const char *text)
{
	struct str out = {0};
	const char *stripped;

	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] != '\0')
			text++;
		else if (*text == '"')
			continue;
		str_add_char(&out, *text);
	}
	stripped = arena_strdup(arena, str_text(&out));
	str_free(&out);
	return stripped;
}

static bool
has_domain(const struct tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++) {
		if (token_is(&tokens->items[i], "@"))
			return true;
	}
	return false;
}

/* Adds the sender's domain to an address that has none. */
static void
add_domain(struct rule_context *context, const char *domain, struct tokens *tokens, int *status)
{
	struct tokens added, all;

	if (has_domain(tokens) || !rule_scan(context, domain, '\0', false, &added, NULL))
		return;
	if (tokens->count + added.count > TOKENS_MAXIMUM)
		return;
	all.count = 0;
	all.items = ARENA_ARRAY(context->arena, struct token, TOKENS_MAXIMUM);
	for (size_t i = 0; i < tokens->count; i++)
		all.items[all.count++] = tokens->items[i];
	for (size_t i = 0; i < added.count; i++)
		all.items[all.count++] = added.items[i];
	all.capacity = TOKENS_MAXIMUM;
	*tokens = all;
	if (rule_run(context, SET_CANONIFY, tokens) == EX_TEMPFAIL)
		*status = EX_TEMPFAIL;
}

static int
mailer_set(const struct mailer *mailer, unsigned what)
{
	if ((what & RESOLVE_SENDER) != 0)
		return (what & RESOLVE_HEADER) != 0 ? mailer->sender_header
						    : mailer->sender_envelope;
	return (what & RESOLVE_HEADER) != 0 ? mailer->recipient_header : mailer->recipient_envelope;
}

const char *
resolve_rewrite(struct rule_context *context, const char *address, const struct mailer *mailer,
    unsigned what, int *exit_status)
{
	const struct config *config = context->config;
	struct token_frame frame = {.before = "", .after = "", .has_address = true};
	int sets[] = {(what & RESOLVE_SENDER) != 0 ? SET_SENDER : SET_RECIPIENT,
	    mailer_set(mailer, what), SET_FINAL};
	struct tokens tokens;
	const char *text;

	if (trace_on(12, 1))
		printf("remotename(%s)\n", address);
	*exit_status = EX_OK;
	if ((what & RESOLVE_CANONICAL) == 0 && !mailer_has(mailer, 'c'))
		resolve_frame(context, address, &frame);
	if (!rule_scan(context, address, '\0', false, &tokens, NULL))
		return address;
	if (rule_run(context, SET_CANONIFY, &tokens) == EX_TEMPFAIL)
		*exit_status = EX_TEMPFAIL;
	if ((what & RESOLVE_HEADER) != 0 && context->sender_domain != NULL)
		add_domain(context, context->sender_domain, &tokens, exit_status);
	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		/* a mailer's 0 is none */
		if (i == 1 && sets[i] <= 0)
			continue;
		if (rule_run(context, sets[i], &tokens) == EX_TEMPFAIL)
			*exit_status = EX_TEMPFAIL;
	}
	text = rule_text(context, tokens.items, tokens.count);
	config_set_macro(config, context->macros, "g", text);
	if ((what & RESOLVE_CANONICAL) != 0 && text[0] == '@')
		text = arena_printf(context->arena, "<%s>", text);
	else
		text = arena_printf(context->arena, "%s%s%s", frame.before,
		    frame.has_address ? text : "", frame.after);
	if (trace_on(12, 1))
		printf("remotename => `%s', stat=%d\n", text, *exit_status);
	return text;
}

void
resolve_show_frame(const struct token_frame *frame)
{
	token_show_text(frame->before);
	if (frame->has_address && trace_on(84, 1)) {
		token_show_code(MACRO_MARK);
		putchar('g');
	} else if (frame->has_address) {
		printf("$g");
	}
	token_show_text(frame->after);
}

void
resolve_frame(struct rule_context *context, const char *address, struct token_frame *frame)
{
	const struct options *options = &context->config->options;
	const char *more = options->must_quote_chars != NULL ? options->must_quote_chars : ".'";

	token_frame(frame, address, arena_printf(context->arena, "@,;:\\()[]%s", more),
	    !options->colon_ok_in_addr, context->arena);
	if (!trace_on(33, 1))
		return;
	printf("crackaddr(%s)\ncrackaddr=>`", address);
	resolve_show_frame(frame);
	printf("'\n");
}

void
resolve_split_list(const char *list, struct arena *arena,
    void (*each)(void *context, const char *address), void *context)
{
	int comments = 0, angles = 0;
	bool is_quoted = false;
	const char *start = list;

	for (const char *at = list;; at++) {
		bool is_end = *at == '\0';

		if (*at == '\\' && at[1] != '\0') {
			at++;
			continue;
		}
		if (is_end || (*at == ',' && !is_quoted && comments == 0 && angles == 0)) {
			char *address = arena_memdup(arena, start, (size_t)(at - start));

			text_trim_end(address);
			if (*text_skip_space(address) != '\0')
				each(context, text_skip_space(address));
			if (is_end)
				return;
			start = at + 1;
			continue;
		}
		if (*at == '"' && comments == 0)
			is_quoted = !is_quoted;
		else if (is_quoted)
			continue;
		else if (*at == '(')
			comments++;
		else if (*at == ')' && comments > 0)
			comments--;
		else if (*at == '<' && comments == 0)
			angles++;
		else if (*at == '>' && comments == 0 && angles > 0)
			angles--;
	}
}

enum map_alias_name
resolve_alias_name(void *rule_context, const char *name)
{
	struct resolved resolved;

	resolve_address(rule_context, name, 0, &resolved);
	if (!resolved.is_parsed || resolved.mailer == NULL)
		return MAP_ALIAS_ILLEGAL;
	return mailer_has(resolved.mailer, 'A') ? MAP_ALIAS_LOCAL : MAP_ALIAS_NOT_LOCAL;
}
