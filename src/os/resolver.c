/* Names for what the headers of some systems do not show. */
#include "config.h"

#include <sys/types.h>

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include "os/os.h"

/* glibc shows it to GNU sources only; musl never returns it */
#ifdef EAI_NODATA
enum { HAS_NO_ADDRESS = EAI_NODATA };
#else
enum { HAS_NO_ADDRESS = -5 };
#endif

bool
os_has_no_address(int error)
{
	return error == HAS_NO_ADDRESS;
}

unsigned long
os_resolver_trust(void)
{
#ifdef RES_TRUSTAD /* glibc 2.31 */
	return RES_TRUSTAD;
#else
	return 0;
#endif
}
