/* An address through sets 3 and 0 of the shipped cf. */
#include <stdint.h>
#include <string.h>

#include "rule/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
ignore(void *context, const char *message, enum config_message kind)
{
	(void)context, (void)message, (void)kind;
}

static void
ignore_report(void *context, const char *message, int status)
{
	(void)context, (void)message, (void)status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct config *config;
	static struct arena *arena;
	struct rule_context context = {0};
	struct tokens tokens;
	char text[600];

	if (config == NULL) {
		config = config_read(&(struct config_request){.file = "cf/sendmail.cf", .report = ignore, .is_safe_caller = true});
		arena = arena_create();
	}
	if (length >= sizeof text)
		length = sizeof text - 1;
	memcpy(text, bytes, length);
	text[length] = '\0';
	context.config = config;
	context.macros = config->macros;
	context.arena = arena;
	context.report = ignore_report;
	if (rule_scan(&context, text, 0, false, &tokens, NULL)) {
		struct rule_triple triple;

		rule_run(&context, ruleset_find(config, "3"), &tokens);
		rule_run(&context, ruleset_find(config, "0"), &tokens);
		rule_triple(&context, &tokens, &triple);
	}
	arena_reset(arena);
	return 0;
}
