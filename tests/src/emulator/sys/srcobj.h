/*
 * sys/srcobj.h: test code.  What an object of SRC says, in the order in which `lssrc -S` shows it.
 */
#ifndef SYS_SRCOBJ_H
#define SYS_SRCOBJ_H

struct SRCsubsys {
	char subsysname[30];
	char synonym[30];
	char cmdargs[200];
	char path[200];
	int uid;
	int auditid;
	char standin[200], standout[200], standerr[200];
	int action; /* RESPAWN or ONCE */
	int multi;  /* SRCYES, SRCNO */
	int contact;
	int svrkey;
	int svrmtype;
	int priority;
	int signorm, sigforce;
	int display; /* SRCYES, SRCNO */
	int waittime;
	char grpname[30];
};

#define ONCE	11
#define RESPAWN 12
#define SRCYES	21
#define SRCNO	22

#endif
