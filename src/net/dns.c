/* The reader of DNS answers.  Nothing here talks to the network; see dns_resolver.c. */
#include "net/dns.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/text.h"

enum {
	HEADER_SIZE = 12,
	NAME_SIZE_MAXIMUM = 255, /* RFC 1035, 2.3.4 */
	ALIASES_MAXIMUM = 10,	 /* CNAMEs in a row */
	RECORDS_MAXIMUM = 1000,	 /* of one answer; a larger one is cut */
	POINTER_MARK = 0xc0,
	CLASS_IN = 1,
	FLAG_AUTHENTIC = 0x20, /* in the fourth byte */
	RCODE_MASK = 0x0f,
	RCODE_OK = 0,
	RCODE_NO_NAME = 3,
	FLAG_RESPONSE = 0x80, /* in the third byte */
};

static const struct {
	const char *name;
	enum dns_type type;
} types[] = {
    {"A", DNS_A},
    {"AAAA", DNS_AAAA},
    {"AFSDB", DNS_AFSDB},
    {"CNAME", DNS_CNAME},
    {"MX", DNS_MX},
    {"NS", DNS_NS},
    {"PTR", DNS_PTR},
    {"SRV", DNS_SRV},
    {"TXT", DNS_TXT},
};

bool
dns_type_named(const char *name, enum dns_type *type)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (text_equal_nocase(types[i].name, name)) {
			*type = types[i].type;
			return true;
		}
	}
	return false;
}

const char *
dns_status_text(enum dns_status status)
{
	switch (status) {
	case DNS_FOUND:
		return "found";
	case DNS_NO_DATA:
		return "No address associated with name";
	case DNS_NO_NAME:
		return "Unknown host";
	case DNS_LOOP:
		return "CNAME loop";
	case DNS_TRY_AGAIN:
		break;
	}
	return "Name server timeout";
}

const char *
dns_reverse_name(const unsigned char *address, size_t address_length, struct arena *arena)
{
	static const char digits[] = "0123456789abcdef";
	struct str name = {0};
	const char *copy;

	if (address_length == 4)
		return arena_printf(arena, "%u.%u.%u.%u.in-addr.arpa", address[3], address[2],
		    address[1], address[0]);
	for (size_t i = address_length; i-- > 0;) {
		str_add_char(&name, digits[address[i] & 0x0f]);
		str_add_char(&name, '.');
		str_add_char(&name, digits[address[i] >> 4]);
		str_add_char(&name, '.');
	}
	str_add_text(&name, "ip6.arpa");
	copy = arena_strdup(arena, str_text(&name));
	str_free(&name);
	return copy;
}

struct reader {
	const unsigned char *bytes;
	size_t length, at;
	bool failed; /* sticky */
};

static unsigned
read_16(struct reader *reader)
{
	unsigned value;

	if (reader->failed || reader->length - reader->at < 2) {
		reader->failed = true;
		return 0;
	}
	value = (unsigned)reader->bytes[reader->at] << 8 | reader->bytes[reader->at + 1];
	reader->at += 2;
	return value;
}

static uint32_t
read_32(struct reader *reader)
{
	uint32_t high = read_16(reader);

	return high << 16 | read_16(reader);
}

/* A byte of a label as a zone file has it, so that no name holds a blank, a control character or a stray dot. */
static void
add_label_byte(struct str *name, unsigned char byte)
{
	if (!text_is_print(byte) || byte == ' ')
		str_printf(name, "\\%03u", byte);
	else if (strchr(".\\\"()<>;@$,|", byte) != NULL)
		str_printf(name, "\\%c", byte);
	else
		str_add_char(name, (char)byte);
}

/* Appends the name at reader->at and moves behind it.  A pointer may only lead back, so no chain of them is endless. */
static void
read_name(struct reader *reader, struct str *name)
{
	size_t at = reader->at, total = 0, floor = reader->at;
	bool jumped = false, first = true;

	while (!reader->failed) {
		unsigned length;

		if (at >= reader->length)
			break;
		length = reader->bytes[at++];
		if ((length & POINTER_MARK) == POINTER_MARK) {
			size_t target;

			if (at >= reader->length)
				break;
			target =
			    (size_t)(length & ~(unsigned)POINTER_MARK) << 8 | reader->bytes[at++];
			if (!jumped)
				reader->at = at;
			jumped = true;
			if (target >= floor || target < HEADER_SIZE)
				break;
			at = floor = target;
			continue;
		}
		if ((length & POINTER_MARK) != 0 || length > reader->length - at)
			break;
		if (length == 0) {
			if (!jumped)
				reader->at = at;
			return;
		}
		total += length + 1;
		if (total > NAME_SIZE_MAXIMUM)
			break;
		if (!first)
			str_add_char(name, '.');
		first = false;
		for (; length > 0; length--)
			add_label_byte(name, reader->bytes[at++]);
	}
	reader->failed = true;
}

static const char *
take_name(struct reader *reader, struct arena *arena)
{
	struct str name = {0};
	const char *copy = NULL;

	read_name(reader, &name);
	if (!reader->failed)
		copy = arena_strdup(arena, str_text(&name));
	str_free(&name);
	return copy;
}

/* The character strings of a TXT record in one. */
static const char *
take_text(struct reader *reader, size_t end, struct arena *arena)
{
	struct str text = {0};
	const char *copy;

	while (reader->at < end) {
		size_t length = reader->bytes[reader->at++];

		if (length > end - reader->at) {
			reader->failed = true;
			break;
		}
		for (; length > 0; length--) {
			unsigned char byte = reader->bytes[reader->at++];

			if (byte < ' ' || byte == 127)
				str_printf(&text, "\\%03u", byte);
			else
				str_add_char(&text, (char)byte);
		}
	}
	copy = arena_strdup(arena, str_text(&text));
	str_free(&text);
	return copy;
}

/* The data of a record of a known type; leaves reader->failed for what does not fit its length. */
static void
read_data(struct reader *reader, size_t end, struct dns_record *record, struct arena *arena)
{
	switch (record->type) {
	case DNS_A:
	case DNS_AAAA:
		record->address_length = record->type == DNS_A ? 4 : 16;
		if (end - reader->at != record->address_length)
			reader->failed = true;
		else
			memcpy(record->address, reader->bytes + reader->at, record->address_length);
		reader->at = end;
		break;
	case DNS_MX:
	case DNS_AFSDB:
		record->preference = read_16(reader);
		record->name = take_name(reader, arena);
		break;
	case DNS_SRV:
		record->preference = read_16(reader);
		record->weight = read_16(reader);
		record->port = read_16(reader);
		record->name = take_name(reader, arena);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		record->name = take_name(reader, arena);
		break;
	case DNS_TXT:
		record->text = take_text(reader, end, arena);
		break;
	case DNS_TLSA:
		record->data_length = end - reader->at;
		record->data = (unsigned char *)arena_memdup(
		    arena, reader->bytes + reader->at, record->data_length);
		reader->at = end;
		break;
	}
	if (reader->at != end)
		reader->failed = true;
}

static bool
is_known_type(unsigned type)
{
	if (type == DNS_TLSA)
		return true;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if ((unsigned)types[i].type == type)
			return true;
	}
	return false;
}

/* Every readable record of the answer section, whoever owns it; NULL and reader->failed: the message is broken. */
static struct dns_record *
read_records(struct reader *reader, unsigned count, struct arena *arena)
{
	struct dns_record *first = NULL, **link = &first;

	for (unsigned i = 0; i < count && i < RECORDS_MAXIMUM && !reader->failed; i++) {
		struct dns_record *record = ARENA_NEW(arena, struct dns_record);
		unsigned type, class, length;
		size_t end;

		record->owner = take_name(reader, arena);
		type = read_16(reader);
		class = read_16(reader);
		record->ttl_seconds = read_32(reader);
		length = read_16(reader);
		if (reader->failed || length > reader->length - reader->at) {
			reader->failed = true;
			return NULL;
		}
		end = reader->at + length;
		if (class != CLASS_IN || !is_known_type(type)) {
			reader->at = end;
			continue;
		}
		record->type = (enum dns_type)type;
		read_data(reader, end, record, arena);
		*link = record;
		link = &record->next;
	}
	return reader->failed ? NULL : first;
}

/* Follows the CNAMEs of the answer from `name`. false: they lead in a circle. */
static bool
follow_aliases(struct dns_answer *answer, const struct dns_record *records)
{
	for (;;) {
		const struct dns_record *alias = records;

		while (alias != NULL && !(alias->type == DNS_CNAME &&
					    text_equal_nocase(alias->owner, answer->canonical)))
			alias = alias->next;
		if (alias == NULL)
			return true;
		answer->canonical = alias->name;
		if (++answer->alias_count > ALIASES_MAXIMUM)
			return false;
	}
}

static const char *
without_final_dot(const char *name, struct arena *arena)
{
	size_t length = strlen(name);

	if (length > 0 && name[length - 1] == '.')
		length--;
	return arena_memdup(arena, name, length);
}

void
dns_read_answer(const unsigned char *bytes, size_t length, const char *name, enum dns_type type,
    struct arena *arena, struct dns_answer *answer)
{
	struct reader reader = {.bytes = bytes, .length = length};
	struct dns_record *records, **link = &answer->records;
	unsigned questions, answers;

	*answer = (struct dns_answer){
	    .status = DNS_TRY_AGAIN, .canonical = without_final_dot(name, arena)};
	answer->asked = answer->canonical;
	link = &answer->records;
	if (length < HEADER_SIZE || (bytes[2] & FLAG_RESPONSE) == 0)
		return;
	if ((bytes[3] & RCODE_MASK) != RCODE_OK && (bytes[3] & RCODE_MASK) != RCODE_NO_NAME)
		return;
	answer->is_authentic = (bytes[3] & FLAG_AUTHENTIC) != 0;
	reader.at = 4;
	questions = read_16(&reader);
	answers = read_16(&reader);
	reader.at = HEADER_SIZE;
	for (unsigned i = 0; i < questions && !reader.failed; i++) {
		take_name(&reader, arena);
		read_32(&reader);
	}
	records = read_records(&reader, answers, arena);
	if (reader.failed) {
		answer->is_authentic = false;
		return;
	}
	if (type != DNS_CNAME && !follow_aliases(answer, records)) {
		answer->status = DNS_LOOP;
		return;
	}
	for (struct dns_record *record = records, *next; record != NULL; record = next) {
		next = record->next;
		record->next = NULL;
		if (record->type != type || !text_equal_nocase(record->owner, answer->canonical))
			continue;
		*link = record;
		link = &record->next;
		answer->count++;
	}
	if (answer->count > 0)
		answer->status = DNS_FOUND;
	else
		answer->status =
		    (bytes[3] & RCODE_MASK) == RCODE_NO_NAME ? DNS_NO_NAME : DNS_NO_DATA;
}
