#include "main/main.h"

/*
 * The program that everybody calls.  It links no TLS and no SASL, so that it starts fast; modes that
 * are not in the table need the network and are pillarbox's.
 */
static const struct main_mode modes[] = {
    {MODE_DELIVER, main_submit, NULL},
    {MODE_ARPANET, main_submit, NULL},
    {MODE_CHECK, main_check, NULL},
    {MODE_OPTIONS, main_options, NULL},
    {MODE_TEST, main_test, NULL},
    {MODE_ALIASES, main_aliases, NULL},
    {MODE_VERIFY, main_verify, NULL},
    {MODE_PRINT, main_print, NULL},
    {MODE_COUNTS, main_print, NULL},
    {MODE_HOSTS, main_hosts, NULL},
    {MODE_PURGE, main_hosts, NULL},
};

int
main(int argc, char **argv)
{
	return main_run(argc, argv, modes, sizeof modes / sizeof modes[0], LIBEXECDIR "/pillarbox");
}
