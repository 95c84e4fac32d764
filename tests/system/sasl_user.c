/*
 * sasl_user NAME REALM: sets a password (a line of standard input) in the sasldb of the program that Sendmail.conf configures, as
 * saslpasswd2 does where it is installed.
 */
#include <stdio.h>
#include <string.h>

#include <sasl/sasl.h>

int
main(int argc, char **argv)
{
	char password[128];
	sasl_conn_t *conn;
	int result;

	if (argc != 3 || fgets(password, sizeof password, stdin) == NULL)
		return 2;
	password[strcspn(password, "\n")] = '\0';
	if (sasl_server_init(NULL, "Sendmail") != SASL_OK ||
	    sasl_server_new("smtp", argv[2], argv[2], NULL, NULL, NULL, 0, &conn) != SASL_OK)
		return 1;
	result = sasl_setpass(
	    conn, argv[1], password, (unsigned)strlen(password), NULL, 0, SASL_SET_CREATE);
	if (result != SASL_OK)
		fprintf(stderr, "sasl_user: %s\n", sasl_errdetail(conn));
	sasl_dispose(&conn);
	sasl_done();
	return result == SASL_OK ? 0 : 1;
}
