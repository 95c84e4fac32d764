/*
 * report_private: what the files about reports share.
 */
#ifndef RUN_REPORT_PRIVATE_H
#define RUN_REPORT_PRIVATE_H

#include "run/report.h"

/* What the report says of each recipient; in the arena. */
const struct report_recipient *report_recipients(
    const struct report_order *, struct arena *, size_t *count);

#endif
