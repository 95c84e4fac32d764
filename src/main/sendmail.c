#include "main/main.h"

/*
 * The program that everybody calls.  It links no TLS and no SASL, so that it starts fast; modes that
 * are not in the table need the network and are pillarbox's.
 */
static const struct main_mode modes[] = {
    {MODE_DELIVER, main_submit},
    {MODE_ARPANET, main_submit},
    {MODE_CHECK, main_check},
    {MODE_TEST, main_test},
    {MODE_ALIASES, main_aliases},
    {MODE_VERIFY, main_verify},
    {MODE_PRINT, main_print},
    {MODE_COUNTS, main_print},
    {MODE_HOSTS, main_hosts},
    {MODE_PURGE, main_hosts},
};

int
main(int argc, char **argv)
{
	return main_run(argc, argv, modes, sizeof modes / sizeof modes[0], LIBEXECDIR "/pillarbox");
}
