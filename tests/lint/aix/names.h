/* Names that only AIX's own headers have. */
#include <sys/types.h>
#define F_CLOSEM   10
#define FIOSETOWN  0x8901
#define FIOASYNC   0x5452
int getpeereid(int fd, uid_t *, gid_t *);
