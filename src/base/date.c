#include "base/date.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Minutes east of Greenwich, from the two broken-down forms (tm_gmtoff is no POSIX). */
static int
zone_minutes(const struct tm *local, const struct tm *utc)
{
	int day = local->tm_yday - utc->tm_yday;

	if (local->tm_year != utc->tm_year)
		day = local->tm_year < utc->tm_year ? -1 : 1;
	return (day * 24 + local->tm_hour - utc->tm_hour) * 60 + local->tm_min - utc->tm_min;
}

const char *
date_rfc822(time_t when, char buffer[DATE_RFC822_SIZE])
{
	struct tm local, utc;
	char zone[16] = "GMT";
	int offset;

	localtime_r(&when, &local);
	gmtime_r(&when, &utc);
	offset = zone_minutes(&local, &utc);
	/* V8: no name of a zone behind the offset, and GMT for none, whatever the zone calls itself */
	if (offset != 0)
		snprintf(zone, sizeof zone, "%c%02d%02d", offset < 0 ? '-' : '+', abs(offset) / 60 % 100,
		    abs(offset) % 60);
	snprintf(buffer, DATE_RFC822_SIZE, "%s, %d %s %d %02d:%02d:%02d %s", days[local.tm_wday % 7],
	    local.tm_mday, months[local.tm_mon % 12], local.tm_year + 1900, local.tm_hour, local.tm_min,
	    local.tm_sec, zone);
	return buffer;
}

const char *
date_ctime(time_t when, char buffer[DATE_CTIME_SIZE])
{
	struct tm local;

	localtime_r(&when, &local);
	snprintf(buffer, DATE_CTIME_SIZE, "%s %s %2d %02d:%02d:%02d %d", days[local.tm_wday % 7],
	    months[local.tm_mon % 12], local.tm_mday % 100, local.tm_hour % 100, local.tm_min % 100, local.tm_sec % 100,
	    (local.tm_year + 1900) % 10000);
	return buffer;
}
