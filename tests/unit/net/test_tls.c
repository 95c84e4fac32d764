#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/tls.h"

static char folder[] = "/tmp/test_tls.XXXXXX";
static char certificate_file[64], key_file[64];

/* A self-signed certificate for "mail.example.com", which is its own authority. */
static int
make_certificate(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509_NAME *name;
	FILE *file;

	(void)state;
	log_set_level(0);
	assert_non_null(mkdtemp(folder));
	snprintf(certificate_file, sizeof certificate_file, "%s/cert.pem", folder);
	snprintf(key_file, sizeof key_file, "%s/key.pem", folder);
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	name = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(
	    name, "O", MBSTRING_ASC, (const unsigned char *)"Post (Office)", -1, -1, 0);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)"mail.example.com", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	file = fopen(certificate_file, "w");
	PEM_write_X509(file, certificate);
	fclose(file);
	file = fopen(key_file, "w");
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	chmod(key_file, 0600);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	unlink(certificate_file);
	unlink(key_file);
	return rmdir(folder);
}

static struct tls_context *
server_context(void)
{
	return tls_context_create(TLS_SERVER,
	    &(struct tls_settings){.cert_file = certificate_file, .key_file = key_file});
}

/* A server process that shakes hands, echoes one line and ends. */
static pid_t
serve(struct tls_context *context, int fd, const char *before)
{
	pid_t child = fork();

	if (child == 0) {
		struct conn *conn = conn_create(fd, fd);
		struct arena *arena = arena_create();
		struct tls_info info;
		size_t length;
		char *line;

		conn_set_deadline(conn, deadline_in(10));
		conn_write(conn, before, strlen(before));
		conn_flush(conn);
		if (!tls_start(conn, context, NULL, NULL, arena, &info))
			_exit(1);
		if (conn_read_line(conn, 100, &line, &length) == CONN_LINE) {
			conn_printf(conn, "%s %s %s\r\n", line, info.verify,
			    info.is_resumed ? "resumed" : "full");
			conn_flush(conn);
		}
		conn_close(conn);
		_exit(0);
	}
	close(fd);
	return child;
}

static void
talk(struct tls_context *client, struct tls_context *server, const char *before,
    struct tls_info *info, struct arena *arena, char *answer, size_t size)
{
	int pair[2];
	struct conn *conn;
	size_t length;
	char *line;
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	child = serve(server, pair[1], before);
	conn = conn_create(pair[0], pair[0]);
	conn_set_deadline(conn, deadline_in(10));
	if (*before != '\0')
		assert_int_equal(conn_read_line(conn, 100, &line, &length), CONN_LINE);
	assert_true(tls_start(conn, client, "mail.example.com", NULL, arena, info));
	conn_printf(conn, "hello\r\n");
	assert_int_equal(conn_read_line(conn, 100, &line, &length), CONN_LINE);
	snprintf(answer, size, "%s", line);
	conn_close(conn);
	waitpid(child, NULL, 0);
}

static void
a_known_authority_verifies_and_an_unknown_does_not(void **state)
{
	struct tls_context *server = server_context();
	struct tls_context *knows = tls_context_create(
	    TLS_CLIENT, &(struct tls_settings){.ca_cert_file = certificate_file});
	struct tls_context *strange = tls_context_create(TLS_CLIENT, &(struct tls_settings){0});
	struct arena *arena = arena_create();
	struct tls_info info;
	char answer[64];

	(void)state;
	assert_non_null(server);
	talk(knows, server, "", &info, arena, answer, sizeof answer);
	assert_string_equal(answer, "hello NOT full");
	assert_string_equal(info.verify, "OK");
	assert_string_equal(info.version, "TLSv1.3");
	assert_string_equal(info.cn_subject, "mail.example.com");
	assert_string_equal(info.cert_subject, "/O=Post+20+28Office+29/CN=mail.example.com");
	assert_int_equal(info.cipher_bits, 256);
	talk(strange, server, "", &info, arena, answer, sizeof answer);
	assert_string_equal(info.verify, "FAIL");
	tls_context_destroy(server);
	tls_context_destroy(knows);
	tls_context_destroy(strange);
	arena_destroy(arena);
}

static void
sessions_are_resumed_and_stay_verified(void **state)
{
	struct tls_context *server = server_context();
	struct tls_context *client = tls_context_create(
	    TLS_CLIENT, &(struct tls_settings){.ca_cert_file = certificate_file});
	struct arena *arena = arena_create();
	struct tls_info info;
	char answer[64];

	(void)state;
	talk(client, server, "", &info, arena, answer, sizeof answer);
	assert_false(info.is_resumed);
	for (int i = 0; i < 3; i++) {
		talk(client, server, "", &info, arena, answer, sizeof answer);
		assert_string_equal(answer, "hello NOT resumed");
		assert_true(info.is_resumed);
		assert_string_equal(info.verify, "OK");
		assert_string_equal(info.cn_subject, "mail.example.com");
	}
	tls_context_destroy(server);
	tls_context_destroy(client);
	arena_destroy(arena);
}

static void
what_was_injected_before_tls_is_forgotten(void **state)
{
	struct tls_context *server = server_context();
	struct tls_context *client = tls_context_create(TLS_CLIENT, &(struct tls_settings){0});
	struct arena *arena = arena_create();
	struct tls_info info;
	char answer[64];

	(void)state;
	talk(client, server, "220 go\r\n235 injected\r\n", &info, arena, answer, sizeof answer);
	assert_string_equal(answer, "hello NOT full");
	tls_context_destroy(server);
	tls_context_destroy(client);
	arena_destroy(arena);
}

static void
a_failed_handshake_says_why(void **state)
{
	struct tls_context *client = tls_context_create(TLS_CLIENT, &(struct tls_settings){0});
	struct arena *arena = arena_create();
	struct tls_info info;
	struct conn *conn;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[1], "no TLS here, sorry\r\n", 20), 20);
	conn = conn_create(pair[0], pair[0]);
	conn_set_deadline(conn, deadline_in(10));
	assert_false(tls_start(conn, client, "h", NULL, arena, &info));
	assert_string_equal(info.verify, "SOFTWARE");
	assert_int_equal(conn_state(conn), CONN_GARBLED);
	conn_close(conn);
	close(pair[1]);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	conn = conn_create(pair[0], pair[0]);
	assert_false(tls_start(conn, client, "h", NULL, arena, &info));
	assert_true(*info.reason != '\0');
	conn_close(conn);
	tls_context_destroy(client);
	arena_destroy(arena);
}

static void
a_key_that_others_can_read_is_not_used(void **state)
{
	(void)state;
	chmod(key_file, 0640);
	assert_null(server_context());
	chmod(key_file, 0604);
	assert_null(server_context());
	chmod(key_file, 0600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_known_authority_verifies_and_an_unknown_does_not),
	    cmocka_unit_test(sessions_are_resumed_and_stay_verified),
	    cmocka_unit_test(what_was_injected_before_tls_is_forgotten),
	    cmocka_unit_test(a_failed_handshake_says_why),
	    cmocka_unit_test(a_key_that_others_can_read_is_not_used),
	};

	return cmocka_run_group_tests(tests, make_certificate, remove_folder);
}
