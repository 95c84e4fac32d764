#include "queue/queue.h"

#include <string.h>

#include "os/os.h"

enum { BYTE_QUOTE = 0xff }; /* V8: the byte behind it is itself */

/* No value ends its line. */
static void
add_value(struct str *out, const char *value)
{
	for (; *value != '\0'; value++)
		str_add_char(out, *value == '\n' || *value == '\r' ? ' ' : *value);
}

static void
add_line(struct str *out, char letter, const char *value)
{
	if (value == NULL)
		return;
	str_add_char(out, letter);
	add_value(out, value);
	str_add_char(out, '\n');
}

static void
add_flags(struct str *out, unsigned flags)
{
	static const char letters[] = "wr8bdns"; /* bits of enum envelope_flag from the lowest up */

	str_add_char(out, 'F');
	for (size_t i = 0; letters[i] != '\0'; i++) {
		if ((flags >> i & 1) != 0 || letters[i] == 's')
			str_add_char(out, letters[i]);
	}
	str_add_char(out, '\n');
}

static void
add_macro(struct str *out, const struct saved_macro *macro)
{
	str_printf(
	    out, macro->name[0] != '\0' && macro->name[1] == '\0' ? "$%s" : "${%s}", macro->name);
	add_value(out, macro->value);
	str_add_char(out, '\n');
}

static bool
same_text(const char *one, const char *other)
{
	return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static bool
same_control(const struct recipient *one, const struct recipient *other)
{
	return same_text(one->control_user, other->control_user) &&
	       same_text(one->control_alias, other->control_alias) &&
	       one->has_control_ids == other->has_control_ids &&
	       (!one->has_control_ids || (one->control_uid == other->control_uid &&
					     one->control_gid == other->control_gid));
}

static void
add_control_user(struct str *out, const struct recipient *recipient)
{
	str_add_char(out, 'C');
	if (recipient->control_user != NULL) {
		add_value(out, recipient->control_user);
		if (recipient->has_control_ids)
			str_printf(out, ":%lu:%lu", (unsigned long)recipient->control_uid,
			    (unsigned long)recipient->control_gid);
		str_add_char(out, ':');
		if (recipient->control_alias != NULL)
			add_value(out, recipient->control_alias);
	}
	str_add_char(out, '\n');
}

static void
add_recipient(struct str *out, const struct recipient *recipient)
{
	static const char letters[] =
	    "PNSFDBAY"; /* bits of enum recipient_flag from the lowest up */

	add_line(out, 'Q', recipient->orcpt);
	add_line(out, 'r', recipient->final);
	str_add_char(out, 'R');
	for (size_t i = 0; letters[i] != '\0'; i++) {
		if ((recipient->flags >> i & 1) != 0)
			str_add_char(out, letters[i]);
	}
	str_add_char(out, ':');
	add_value(out, recipient->address);
	str_add_char(out, '\n');
}

/* V8: these bytes of a message stand for macros and rewriting operators in its own templates. */
static bool
needs_quote(unsigned char byte)
{
	return (byte >= 0x80 && byte < 0xa0) || byte == BYTE_QUOTE;
}

/* Lines that continue a field begin with a blank, whatever the value says. */
static void
add_header(struct str *out, const struct header *header)
{
	str_add_text(out, "H?");
	if (header->macro != NULL) {
		str_add_text(out, "${");
		add_value(out, header->macro);
		str_add_char(out, '}');
	}
	for (int flag = 1; header->macro == NULL && flag < 256; flag++) {
		if (flag != '?' && flag != '\n' && flag_set_has(&header->mailer_flags, flag))
			str_add_char(out, (char)flag);
	}
	str_add_char(out, '?');
	add_value(out, header->name);
	str_add_char(out, ':');
	for (const char *at = header->value; *at != '\0'; at++) {
		if (!header->is_default && needs_quote((unsigned char)*at))
			str_add_char(out, (char)BYTE_QUOTE);
		if (*at == '\n' && at[1] == '\0')
			break;
		str_add_char(out, *at);
		if (*at == '\n' && at[1] != ' ' && at[1] != '\t')
			str_add_char(out, '\t');
	}
	str_add_char(out, '\n');
}

static void
add_fixed_lines(const struct envelope *envelope, struct str *out)
{
	unsigned long major, minor;

	str_printf(out, "V8\nT%lld\nK%lld\nN%d\nP%ld\n", (long long)envelope->created,
	    (long long)envelope->last_attempt, envelope->attempts, envelope->priority);
	if (envelope->body_inode != 0) {
		os_device_numbers(envelope->body_device, &major, &minor);
		str_printf(
		    out, "I%lu/%lu/%llu\n", major, minor, (unsigned long long)envelope->body_inode);
	}
	add_line(out, 'B', envelope->body_type);
	add_line(out, 'q', envelope->quarantine);
	add_line(out, 'M', envelope->status);
	add_flags(out, envelope->flags);
	for (const struct saved_macro *macro = envelope->macros; macro != NULL; macro = macro->next)
		add_macro(out, macro);
	add_line(out, 'S', envelope->sender != NULL ? envelope->sender : "<>");
	add_line(out, 'Z', envelope->envid);
	add_line(out, 'A', envelope->auth);
	if (envelope->deliver_by_mode != NULL) {
		str_add_char(out, '!');
		add_value(out, envelope->deliver_by_mode);
		str_printf(out, " %ld\n", envelope->deliver_by);
	}
	add_line(out, 'd', envelope->body_directory);
}

void
control_write(const struct envelope *envelope, struct str *out)
{
	static const struct recipient nobody;
	const struct recipient *previous = &nobody;

	add_fixed_lines(envelope, out);
	for (const struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if ((one->flags & RECIPIENT_DONE) != 0)
			continue;
		add_line(out, 'M', one->status);
		if (!same_control(one, previous))
			add_control_user(out, one);
		add_recipient(out, one);
		previous = one;
	}
	for (const struct header *header = envelope->headers.first; header != NULL;
	     header = header->next) {
		if (!header->is_deleted)
			add_header(out, header);
	}
	str_add_text(out, ".\n");
}
