/*
 * milter_filter SOCKET LOG: a mail filter on Debian's libmilter, for tests/system/milter.test.
 *
 * It logs what it is told, adds X-Seen with the queue id, and does what the subject asks for: reject, tempfail, discard,
 * quarantine, body, recipients, sender, multi.
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>

static FILE *out;

static sfsistat
on_connect(SMFICTX *context, char *host, _SOCK_ADDR *address)
{
	fprintf(out, "connect %s %d j=%s daemon=%s\n", host,
	    address != NULL ? address->sa_family : -1, smfi_getsymval(context, "j"),
	    smfi_getsymval(context, "{daemon_name}"));
	return SMFIS_CONTINUE;
}

static sfsistat
on_helo(SMFICTX *context, char *name)
{
	(void)context;
	fprintf(out, "helo %s\n", name);
	return SMFIS_CONTINUE;
}

static sfsistat
on_sender(SMFICTX *context, char **words)
{
	char *subject = smfi_getpriv(context);

	if (subject != NULL)
		subject[0] = '\0';
	fprintf(out, "from %s\n", words[0]);
	return SMFIS_CONTINUE;
}

static sfsistat
on_recipient(SMFICTX *context, char **words)
{
	fprintf(out, "to %s\n", words[0]);
	if (strstr(words[0], "refused") == NULL)
		return SMFIS_CONTINUE;
	smfi_setmlreply(context, "550", "5.7.1", "not", "here", NULL);
	return SMFIS_REJECT;
}

static sfsistat
on_header(SMFICTX *context, char *name, char *value)
{
	static char subject[256]; /* one message at a time in this test */

	fprintf(out, "header %s=%s\n", name, value);
	if (strcmp(name, "Subject") == 0) {
		snprintf(subject, sizeof subject, "%s", value);
		smfi_setpriv(context, subject);
	}
	return SMFIS_CONTINUE;
}

static sfsistat
on_body(SMFICTX *context, unsigned char *bytes, size_t length)
{
	(void)context;
	(void)bytes;
	fprintf(out, "body %zu\n", length);
	return SMFIS_CONTINUE;
}

static sfsistat
on_end(SMFICTX *context)
{
	const char *subject = smfi_getpriv(context);
	char *id = smfi_getsymval(context, "i");

	if (subject == NULL)
		subject = "";
	fprintf(out, "end %s\n", id != NULL ? id : "none");
	smfi_progress(context);
	smfi_addheader(context, "X-Seen", id != NULL ? id : "none");
	smfi_insheader(context, 1, "X-Inserted", "by the filter");
	if (strcmp(subject, "reject") == 0)
		return SMFIS_REJECT;
	if (strcmp(subject, "tempfail") == 0)
		return SMFIS_TEMPFAIL;
	if (strcmp(subject, "discard") == 0)
		return SMFIS_DISCARD;
	if (strcmp(subject, "multi") == 0) {
		smfi_setmlreply(context, "554", "5.7.1", "100%% spam", "go away", NULL);
		return SMFIS_REJECT;
	}
	if (strcmp(subject, "quarantine") == 0)
		smfi_quarantine(context, "looked odd");
	if (strcmp(subject, "body") == 0)
		smfi_replacebody(context, (unsigned char *)"other\r\nbody\r\n", 13);
	if (strcmp(subject, "recipients") == 0) {
		smfi_addrcpt(context, "<bob@mail.example.com>");
		smfi_delrcpt(context, "<alice@mail.example.com>");
	}
	if (strcmp(subject, "sender") == 0)
		smfi_chgfrom(context, "<bob@mail.example.com>", NULL);
	if (strcmp(subject, "change") == 0) {
		smfi_chgheader(context, "Subject", 1, "changed");
		smfi_chgheader(context, "X-Gone", 1, NULL);
	}
	return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *context)
{
	(void)context;
	fprintf(out, "close\n");
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	static struct smfiDesc filter = {
	    .xxfi_name = "test",
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT |
			  SMFIF_DELRCPT | SMFIF_QUARANTINE | SMFIF_CHGFROM,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_helo,
	    .xxfi_envfrom = on_sender,
	    .xxfi_envrcpt = on_recipient,
	    .xxfi_header = on_header,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_end,
	    .xxfi_close = on_close,
	};

	if (argc != 3 || (out = fopen(argv[2], "a")) == NULL)
		return 64;
	setvbuf(out, NULL, _IOLBF, 0);
	if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS)
		return 1;
	return smfi_main();
}
