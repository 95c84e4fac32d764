#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "net/dns.h"

struct message {
	unsigned char bytes[2048];
	size_t length;
};

static void
put(struct message *message, const void *bytes, size_t length)
{
	memcpy(message->bytes + message->length, bytes, length);
	message->length += length;
}

static void
put_16(struct message *message, unsigned value)
{
	unsigned char bytes[2] = {(unsigned char)(value >> 8), (unsigned char)value};

	put(message, bytes, 2);
}

static void
put_name(struct message *message, const char *name)
{
	while (*name != '\0') {
		unsigned char length = (unsigned char)strcspn(name, ".");

		put(message, &length, 1);
		put(message, name, length);
		name += length;
		name += *name == '.';
	}
	put(message, "", 1);
}

static void
start(
    struct message *message, unsigned rcode, const char *question, unsigned type, unsigned answers)
{
	message->length = 0;
	put_16(message, 1234);
	put_16(message, 0x8180 | rcode);
	put_16(message, 1);
	put_16(message, answers);
	put_16(message, 0);
	put_16(message, 0);
	put_name(message, question);
	put_16(message, type);
	put_16(message, 1);
}

/* Returns where the data starts; finish() sets their length. */
static size_t
start_record(struct message *message, const char *owner, unsigned type)
{
	put_name(message, owner);
	put_16(message, type);
	put_16(message, 1);
	put_16(message, 0);
	put_16(message, 300);
	put_16(message, 0);
	return message->length;
}

static void
finish(struct message *message, size_t data)
{
	size_t length = message->length - data;

	message->bytes[data - 2] = (unsigned char)(length >> 8);
	message->bytes[data - 1] = (unsigned char)length;
}

static void
add_name_record(struct message *message, const char *owner, unsigned type, const char *target)
{
	size_t data = start_record(message, owner, type);

	put_name(message, target);
	finish(message, data);
}

static void
add_mx(struct message *message, const char *owner, unsigned preference, const char *target)
{
	size_t data = start_record(message, owner, DNS_MX);

	put_16(message, preference);
	put_name(message, target);
	finish(message, data);
}

static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_create();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_destroy(arena);
	return 0;
}

static struct dns_answer
read_message(const struct message *message, const char *name, enum dns_type type)
{
	struct dns_answer answer;
	/* a copy of the exact size, so that a reader beyond the end is seen by the sanitizers */
	unsigned char *exact = malloc(message->length + 1);

	memcpy(exact, message->bytes, message->length);
	dns_read_answer(exact, message->length, name, type, arena, &answer);
	free(exact);
	return answer;
}

static void
mx_keep_their_order_and_preference(void **state)
{
	struct message message;
	struct dns_answer answer;

	(void)state;
	start(&message, 0, "example.org", DNS_MX, 3);
	add_mx(&message, "Example.ORG", 20, "b.example.org");
	add_mx(&message, "example.org", 10, "a.example.org");
	add_mx(&message, "other.org", 5, "poison.example.net");
	answer = read_message(&message, "example.org.", DNS_MX);
	assert_int_equal(answer.status, DNS_FOUND);
	assert_int_equal(answer.count, 2);
	assert_string_equal(answer.records->name, "b.example.org");
	assert_int_equal(answer.records->preference, 20);
	assert_string_equal(answer.records->next->name, "a.example.org");
	assert_null(answer.records->next->next);
	assert_string_equal(answer.canonical, "example.org");
}

static void
tlsa_records_are_bytes(void **state)
{
	static const char bytes[] = {3, 1, 1, 0, (char)0xff, 7};
	struct message message;
	struct dns_answer answer;
	size_t data;

	(void)state;
	start(&message, 0, "_25._tcp.example.org", DNS_TLSA, 1);
	data = start_record(&message, "_25._tcp.example.org", DNS_TLSA);
	put(&message, bytes, sizeof bytes);
	finish(&message, data);
	answer = read_message(&message, "_25._tcp.example.org", DNS_TLSA);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.records->data_length, sizeof bytes);
	assert_memory_equal(answer.records->data, bytes, sizeof bytes);
}

static void
null_mx_is_an_empty_name(void **state)
{
	struct message message;
	struct dns_answer answer;

	(void)state;
	start(&message, 0, "example.org", DNS_MX, 1);
	add_mx(&message, "example.org", 0, "");
	answer = read_message(&message, "example.org", DNS_MX);
	assert_int_equal(answer.count, 1);
	assert_string_equal(answer.records->name, "");
}

static void
aliases_are_followed(void **state)
{
	struct message message;
	struct dns_answer answer;
	size_t data;

	(void)state;
	start(&message, 0, "a.org", DNS_A, 3);
	add_name_record(&message, "b.org", DNS_CNAME, "c.org");
	add_name_record(&message, "a.org", DNS_CNAME, "b.org");
	data = start_record(&message, "c.org", DNS_A);
	put(&message, "\300\0\2\36", 4);
	finish(&message, data);
	answer = read_message(&message, "a.org", DNS_A);
	assert_int_equal(answer.status, DNS_FOUND);
	assert_string_equal(answer.canonical, "c.org");
	assert_int_equal(answer.alias_count, 2);
	assert_int_equal(answer.records->address_length, 4);
	assert_memory_equal(answer.records->address, "\300\0\2\36", 4);
	/* asked for the alias itself: it is the record */
	answer = read_message(&message, "a.org", DNS_CNAME);
	assert_string_equal(answer.records->name, "b.org");
}

static void
alias_circles_end(void **state)
{
	struct message message;

	(void)state;
	start(&message, 0, "a.org", DNS_A, 2);
	add_name_record(&message, "a.org", DNS_CNAME, "b.org");
	add_name_record(&message, "b.org", DNS_CNAME, "a.org");
	assert_int_equal(read_message(&message, "a.org", DNS_A).status, DNS_LOOP);
}

static void
response_codes_become_statuses(void **state)
{
	static const enum dns_status expected[] = {
	    DNS_NO_DATA, DNS_TRY_AGAIN, DNS_TRY_AGAIN, DNS_NO_NAME, DNS_TRY_AGAIN, DNS_TRY_AGAIN};
	struct message message;

	(void)state;
	for (unsigned rcode = 0; rcode < sizeof expected / sizeof expected[0]; rcode++) {
		start(&message, rcode, "a.org", DNS_A, 0);
		assert_int_equal(read_message(&message, "a.org", DNS_A).status, expected[rcode]);
	}
	message.bytes[2] &= 0x7f; /* a question is no answer */
	assert_int_equal(read_message(&message, "a.org", DNS_A).status, DNS_TRY_AGAIN);
}

static void
odd_bytes_of_names_are_escaped(void **state)
{
	struct message message;
	struct dns_answer answer;
	size_t data;

	(void)state;
	start(&message, 0, "1.in-addr.arpa", DNS_PTR, 1);
	data = start_record(&message, "1.in-addr.arpa", DNS_PTR);
	put(&message, "\10a b\n.<\0\\\3org", 13);
	put(&message, "", 1);
	finish(&message, data);
	answer = read_message(&message, "1.in-addr.arpa", DNS_PTR);
	assert_int_equal(answer.status, DNS_FOUND);
	assert_string_equal(answer.records->name, "a\\032b\\010\\.\\<\\000\\\\.org");
	start(&message, 0, "t.org", DNS_TXT, 1);
	data = start_record(&message, "t.org", DNS_TXT);
	put(&message, "\3a\nb\2cd", 7);
	finish(&message, data);
	assert_string_equal(read_message(&message, "t.org", DNS_TXT).records->text, "a\\010bcd");
}

static void
pointers_lead_back_only(void **state)
{
	struct message message;
	struct dns_answer answer;
	size_t data;

	(void)state;
	start(&message, 0, "example.org", DNS_MX, 1);
	put(&message, "\300\14", 2); /* the question's name */
	put(&message, "\0\17\0\1\0\0\0\5\0\7\0\5\2mx\300\14", 17);
	answer = read_message(&message, "example.org", DNS_MX);
	assert_int_equal(answer.status, DNS_FOUND);
	assert_string_equal(answer.records->name, "mx.example.org");
	/* a pointer to itself */
	start(&message, 0, "a.org", DNS_CNAME, 1);
	data = start_record(&message, "a.org", DNS_CNAME);
	put_16(&message, 0xc000 | (unsigned)data);
	finish(&message, data);
	assert_int_equal(read_message(&message, "a.org", DNS_CNAME).status, DNS_TRY_AGAIN);
	/* forwards */
	message.bytes[data + 1] = (unsigned char)(data + 1);
	assert_int_equal(read_message(&message, "a.org", DNS_CNAME).status, DNS_TRY_AGAIN);
	/* into the header */
	message.bytes[data] = 0xc0;
	message.bytes[data + 1] = 0;
	assert_int_equal(read_message(&message, "a.org", DNS_CNAME).status, DNS_TRY_AGAIN);
}

static void
wrong_lengths_make_the_answer_useless(void **state)
{
	struct message message;
	size_t data;

	(void)state;
	start(&message, 0, "a.org", DNS_A, 1);
	data = start_record(&message, "a.org", DNS_A);
	put(&message, "\300\0\2", 3);
	finish(&message, data);
	assert_int_equal(read_message(&message, "a.org", DNS_A).status, DNS_TRY_AGAIN);
	start(&message, 0, "a.org", DNS_MX, 1);
	data = start_record(&message, "a.org", DNS_MX);
	put_16(&message, 10);
	put_name(&message, "mx.a.org");
	put(&message, "xx", 2);
	finish(&message, data);
	assert_int_equal(read_message(&message, "a.org", DNS_MX).status, DNS_TRY_AGAIN);
	start(&message, 0, "a.org", DNS_MX, 500); /* claims more than there is */
	add_mx(&message, "a.org", 1, "mx.a.org");
	assert_int_equal(read_message(&message, "a.org", DNS_MX).status, DNS_TRY_AGAIN);
}

/* Every cut and 20,000 mutations of a good answer: any status, no crash, no byte that breaks a line. */
static void
hostile_answers_do_no_harm(void **state)
{
	struct message good, bad;
	uint32_t seed = 20261120;
	size_t data;

	(void)state;
	start(&good, 0, "example.org", DNS_MX, 5);
	add_name_record(&good, "example.org", DNS_CNAME, "x.org");
	add_mx(&good, "x.org", 10, "a.x.org");
	put(&good, "\300\14\0\17\0\1\0\0\0\5\0\7\0\5\2mx\300\14", 19);
	data = start_record(&good, "x.org", DNS_TXT);
	put(&good, "\5hello\5world", 12);
	finish(&good, data);
	data = start_record(&good, "x.org", DNS_SRV);
	put(&good, "\0\1\0\2\0\31\2mx\300\14", 11);
	finish(&good, data);
	assert_int_equal(read_message(&good, "example.org", DNS_MX).status, DNS_FOUND);
	for (size_t length = 0; length < good.length; length++) {
		bad = good;
		bad.length = length;
		assert_int_equal(read_message(&bad, "example.org", DNS_MX).status, DNS_TRY_AGAIN);
	}
	for (int round = 0; round < 20000; round++) {
		static const enum dns_type asked[] = {DNS_MX, DNS_TXT, DNS_SRV, DNS_CNAME};

		bad = good;
		for (int i = 0; i < 1 + round % 5; i++) {
			seed = seed * 1103515245 + 12345;
			bad.bytes[(seed >> 8) % bad.length] = (unsigned char)(seed >> 24);
		}
		for (size_t i = 0; i < 4; i++) {
			struct dns_answer answer = read_message(&bad, "example.org", asked[i]);

			for (struct dns_record *record = answer.records; record != NULL;
			     record = record->next) {
				const char *text =
				    record->name != NULL ? record->name : record->text;

				assert_non_null(text);
				for (; *text != '\0'; text++)
					assert_true((unsigned char)*text >= ' ' && *text != 127);
			}
		}
		if (round % 500 == 0)
			arena_reset(arena);
	}
}

static void
reverse_names(void **state)
{
	static const unsigned char six[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x30};

	(void)state;
	assert_string_equal(dns_reverse_name((const unsigned char *)"\300\0\2\36", 4, arena),
	    "30.2.0.192.in-addr.arpa");
	assert_string_equal(dns_reverse_name(six, 16, arena),
	    "0.3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

static void
words_of_resolver_options(void **state)
{
	struct dns_settings settings = {0}, before;

	(void)state;
	dns_set_flag(&settings, "DNSRCH defnames", 6, true);
	assert_true(settings.flags_on != 0);
	assert_true(settings.flags_off == 0);
	before = settings;
	dns_set_flag(&settings, "dnsrch", 6, false); /* the later word counts */
	assert_true(settings.flags_on == 0);
	assert_true(settings.flags_off == before.flags_on);
	before = settings;
	dns_set_flag(&settings, "HasWildcardMX", 13, true);
	dns_set_flag(&settings, "dnsrch", 5, true); /* a part of a word is none */
	assert_true(settings.flags_on == before.flags_on);
	assert_true(settings.flags_off == before.flags_off);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(mx_keep_their_order_and_preference),
	    TEST(tlsa_records_are_bytes),
	    TEST(null_mx_is_an_empty_name),
	    TEST(aliases_are_followed),
	    TEST(alias_circles_end),
	    TEST(response_codes_become_statuses),
	    TEST(odd_bytes_of_names_are_escaped),
	    TEST(pointers_lead_back_only),
	    TEST(wrong_lengths_make_the_answer_useless),
	    TEST(hostile_answers_do_no_harm),
	    TEST(reverse_names),
	    TEST(words_of_resolver_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
