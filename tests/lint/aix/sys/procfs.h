/* What src/os/aix.c uses of AIX's header, so that it can be compiled elsewhere. */
struct psinfo {
	char pr_fname[16];
};
