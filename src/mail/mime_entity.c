#include "mime_entity.h"

#include <string.h>

#include "base/text.h"
#include "mail/mime.h"

/* Name of a field is this one? */
static bool
field_is(const char *line, size_t length, const char *name)
{
	size_t wanted = strlen(name);

	if (length <= wanted)
		return false;
	for (size_t i = 0; i < wanted; i++) {
		if (text_lower((unsigned char)line[i]) != text_lower((unsigned char)name[i]))
			return false;
	}
	while (wanted < length && (line[wanted] == ' ' || line[wanted] == '\t'))
		wanted++;
	return wanted < length && line[wanted] == ':';
}

bool
mime_header_has(const char *header, size_t length, const char *name)
{
	while (length > 0) {
		const char *newline = memchr(header, '\n', length);
		size_t line = newline != NULL ? (size_t)(newline - header) + 1 : length;

		if (field_is(header, line, name))
			return true;
		header += line;
		length -= line;
	}
	return false;
}

/* The next word of a structured field: an RFC 2045 token, or what is in quotes; comments are skipped. */
static const char *
read_token(const char *at, struct str *out)
{
	int depth = 0;

	str_clear(out);
	for (; *at != '\0' && (depth > 0 || text_is_space((unsigned char)*at) || *at == '(');
	     at++) {
		if (*at == '(')
			depth++;
		else if (*at == ')' && depth > 0)
			depth--;
	}
	if (*at == '"') {
		for (at++; *at != '\0' && *at != '"'; at++) {
			if (*at == '\\' && at[1] != '\0')
				at++;
			str_add_char(out, *at);
		}
		return *at == '"' ? at + 1 : at;
	}
	while (*at != '\0' && !text_is_space((unsigned char)*at) &&
	       strchr("()<>@,;:\\\"/[]=", *at) == NULL)
		str_add_char(out, *at++);
	return at;
}

static void
parse_type(struct mime_entity *entity, const char *value)
{
	struct str name = {0};

	value = read_token(value, &entity->type);
	value = text_skip_space(value);
	if (*value == '/')
		value = read_token(value + 1, &entity->subtype);
	while ((value = strchr(value, ';')) != NULL) {
		value = text_skip_space(read_token(value + 1, &name));
		if (*value != '=')
			continue;
		if (text_equal_nocase(str_text(&name), "boundary"))
			value = read_token(value + 1, &entity->boundary);
		else
			value = read_token(value + 1, &name);
	}
	str_free(&name);
}

static void
take_field(struct mime_entity *entity, const struct str *field)
{
	const char *text = str_text(field), *colon = strchr(text, ':');

	if (colon != NULL && field_is(text, field->length, "Content-Type")) {
		parse_type(entity, colon + 1);
		entity->has_type = true;
	} else if (colon != NULL && field_is(text, field->length, "Content-Transfer-Encoding")) {
		if (!entity->has_encoding) /* V8: the first one counts */
			read_token(colon + 1, &entity->encoding);
		entity->has_encoding = true;
		return;
	}
	str_add(&entity->header, field->data, field->length);
}

void
mime_entity_begin(struct mime_entity *entity)
{
	*entity = (struct mime_entity){0};
}

void
mime_entity_free(struct mime_entity *entity)
{
	str_free(&entity->header);
	str_free(&entity->type);
	str_free(&entity->subtype);
	str_free(&entity->encoding);
	str_free(&entity->boundary);
}

/* Cuts a header into fields with their continuation lines. */
void
mime_entity_read(struct mime_entity *entity, const char *text, size_t length)
{
	struct str field = {0};

	while (length > 0) {
		const char *newline = memchr(text, '\n', length);
		size_t line = newline != NULL ? (size_t)(newline - text) + 1 : length;

		if (field.length > 0 && *text != ' ' && *text != '\t') {
			take_field(entity, &field);
			str_clear(&field);
		}
		str_add(&field, text, line);
		text += line;
		length -= line;
	}
	if (field.length > 0)
		take_field(entity, &field);
	str_free(&field);
	if (entity->type.length == 0) {
		str_add_text(&entity->type, "text");
		str_add_text(&entity->subtype, "plain");
	}
}
