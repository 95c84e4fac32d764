#include "main/main.h"
#include "os/os.h"

/* The program of everything that talks to the network; `sendmail` starts it with its own arguments. */
static const struct main_mode modes[] = {
    {MODE_CHECK, main_check, NULL},
    {MODE_OPTIONS, main_options, NULL},
    {MODE_SMTP, main_smtp_stdin, NULL},
    {MODE_QUEUE_RUN, main_queue_run, main_prepare_daemon},
    {MODE_DELIVER_ID, main_deliver, NULL},
    {MODE_DAEMON, main_daemon, main_prepare_daemon},
    {MODE_FOREGROUND, main_daemon, main_prepare_daemon},
};

int
main(int argc, char **argv)
{
	if (argc > 0)
		os_title_prepare(argc, argv);
	return main_run(argc, argv, modes, sizeof modes / sizeof modes[0], NULL);
}
