/*
 * spc.h: test code.  An emulator's header in place of AIX's: the documented names, with values and sizes
 * chosen here so that they agree with nobody's.  -DSRC_EMU_VARIANT=A|B|W chooses one of three sets: B has
 * other values, sizes and an order of its own, W a header of over one kilobyte, as on AIX.
 */
#ifndef SPC_H
#define SPC_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <srcerrno.h>

#ifndef SRC_EMU_VARIANT
#define SRC_EMU_VARIANT A
#endif
#define SRC_EMU_NUMBER_A		   1
#define SRC_EMU_NUMBER_B		   2
#define SRC_EMU_NUMBER_W		   3
#define SRC_EMU_JOIN(left, right)	   left##right
#define SRC_EMU_JOIN_EXPANDED(left, right) SRC_EMU_JOIN(left, right)
#define SRC_EMU_NUMBER			   SRC_EMU_JOIN_EXPANDED(SRC_EMU_NUMBER_, SRC_EMU_VARIANT)
#if SRC_EMU_NUMBER < 1 || SRC_EMU_NUMBER > 3
#error SRC_EMU_VARIANT has to be A, B or W
#endif
#define SRC_EMU_PICK(a, b) (SRC_EMU_NUMBER == 2 ? (b) : (a))

/* actions */
#define START	  SRC_EMU_PICK(211, 233)
#define STOP	  SRC_EMU_PICK(212, 235)
#define STATUS	  SRC_EMU_PICK(213, 231)
#define SRCSTATUS STATUS
#define TRACE	  SRC_EMU_PICK(214, 232)
#define REFRESH	  SRC_EMU_PICK(215, 234)
/* parm1 and parm2 */
#define NORMAL	   SRC_EMU_PICK(31, 52)
#define FORCED	   SRC_EMU_PICK(32, 53)
#define CANCEL	   SRC_EMU_PICK(33, 51)
#define SHORTSTAT  SRC_EMU_PICK(41, 62)
#define LONGSTAT   SRC_EMU_PICK(42, 61)
#define TRACEOFF   SRC_EMU_PICK(51, 74)
#define TRACEON	   SRC_EMU_PICK(52, 71)
#define SHORTTRACE SRC_EMU_PICK(53, 72)
#define LONGTRACE  SRC_EMU_PICK(54, 73)
/* cont */
#define END	      SRC_EMU_PICK(61, 83)
#define CONTINUED     SRC_EMU_PICK(62, 84)
#define STATCONTINUED SRC_EMU_PICK(63, 81)
#define NEWREQUEST    SRC_EMU_PICK(64, 82)
/* objects; others are code points of subservers */
#define SUBSYSTEM SRC_EMU_PICK(71, 91)
/* status */
#define SRCWARN	  SRC_EMU_PICK(301, 334)
#define SRCACT	  SRC_EMU_PICK(302, 333)
#define SRCINAC	  SRC_EMU_PICK(303, 332)
#define SRCINOP	  SRC_EMU_PICK(304, 331)
#define SRCLOSD	  SRC_EMU_PICK(305, 330)
#define SRCLSPN	  SRC_EMU_PICK(306, 329)
#define SRCNOSTAT SRC_EMU_PICK(307, 328)
#define SRCOBIN	  SRC_EMU_PICK(308, 327)
#define SRCOPND	  SRC_EMU_PICK(309, 326)
#define SRCOPPN	  SRC_EMU_PICK(310, 325)
#define SRCSTAR	  SRC_EMU_PICK(311, 324)
#define SRCSTPG	  SRC_EMU_PICK(312, 323)
#define SRCTST	  SRC_EMU_PICK(313, 322)
#define SRCTSTPN  SRC_EMU_PICK(314, 321)

#define SRCNAMESZ    30
#define SRCPKTMAX    8192
#define SRC_STAT_MAX 64
#define SRC_BUF_MAX  2048

#define SRCALLSUBSYS "*all*"
#define SRCGROUP     "*group*"

/* kinds of contact, in the objects */
#define SRCIPC	  1
#define SRCSIGNAL 2
#define SRCSOCKET 3

#if SRC_EMU_NUMBER == 3
struct src_emu_address {
	unsigned char sun_len, sun_family;
	char sun_path[1023];
};
#else
#define src_emu_address sockaddr_un
#endif

#if SRC_EMU_NUMBER == 2
enum { SRC_EMU_TEXT = 70, SRC_EMU_REPLY_NAME = 30, SRC_EMU_MESSAGE = 250 };
struct srchdr {
	struct src_emu_address retaddr;
	char reserved[10];
	short cont;
	short dversion;
};
#else
enum { SRC_EMU_TEXT = 65, SRC_EMU_REPLY_NAME = 20, SRC_EMU_MESSAGE = 256 };
struct srchdr {
	struct src_emu_address retaddr;
	short dversion;
	short cont;
};
#endif

struct subreq {
	short object;
	short action;
	short parm1;
	short parm2;
	char objname[SRCNAMESZ];
};

struct srcreq {
	struct srchdr srchdr;
	struct subreq subreq;
};

struct svrreply {
	short rtncode;
	short objtype;
	char objtext[SRC_EMU_TEXT];
	char objname[SRC_EMU_REPLY_NAME];
	char rtnmsg[SRC_EMU_MESSAGE];
};

struct srcrep {
	struct srchdr srchdr;
	struct svrreply svrreply;
};

struct statcode {
	short objtype;
	short status;
	char objtext[SRC_EMU_TEXT];
	char objname[SRCNAMESZ];
};

struct statrep {
	struct srchdr srchdr;
	struct statcode statcode[1];
};

struct srchdr *srcrrqs(char *packet);
struct srchdr *srcrrqs_r(char *packet, struct srchdr *);
int srcsrpy(struct srchdr *, char *reply, int length, unsigned short cont);
void srcstathdr(char *title1, char *title2);
char *srcstattxt(short status);
char *srcstattxt_r(short status, char *text, size_t size);
int src_err_msg(int error, char **text);
int src_err_msg_r(int error, char **text);

/*
 * For the commands.  A request without its header goes to srcmstr; the first reply comes back.  *cont
 * is NEWREQUEST at the first call; while the answer is not END afterwards, the next call gets the next packet.
 */
int srcsrqt(char *host, char *name, int pid, short request_length, char *request,
    short *reply_length, char *reply, int start_it_also, int *cont);
int srcsrqt_r(char *host, char *name, int pid, short request_length, char *request,
    short *reply_length, char *reply, int start_it_also, int *cont, int *handle);
int srcstat(char *host, char *name, int pid, short *length, void *statrep, int *cont);
int srcstat_r(
    char *host, char *name, int pid, short *length, void *statrep, int *cont, int *handle);
int srcsbuf(char *host, short type, char *name, char *object, int pid, short parm1, int version,
    char **status, int *cont);
int srcsbuf_r(char *host, short type, char *name, char *object, int pid, short parm1, int version,
    char **status, int *cont, int *handle);
/* The pid in *pid; arguments and environment may be NULL. */
int srcstrt(char *host, char *name, char *environment, char *arguments, int restart, int *pid);
int srcstop(char *host, char *name, int pid, short how, char *message, size_t size);

#endif
