/*
 * stage: what one command to a filter is, and its answer; shared by the files of this folder.
 */
#ifndef MILTER_STAGE_H
#define MILTER_STAGE_H

#include "filter.h"

struct stage {
	const char *name;
	char command;
	enum filter_stage macros;  /* FILTER_STAGES: none are told */
	uint32_t unwanted, silent; /* bits of enum milter_protocol */
	uint32_t version;	   /* from which on filters know it */
	bool is_of_message;	   /* its answer is about the message, not the session */
	const char *where;	   /* in the log of a failure, where it is not `name` */
};

/*
 * Sends it and takes the answer.  True: this filter is to be asked on; false: it accepted or failed, and *result says
 * whether the mail may go on.
 */
bool stage_ask(struct milters *, struct filter *, const struct stage *, const struct str *data,
    struct milter_result *);
/*
 * Reads an answer that settles something, and logs it; `action` is ", action=NAME", or "" at the end of a message.  False: it
 * is no such answer.
 */
bool stage_take_answer(struct milters *, struct filter *, struct milter_packet *,
    const char *action, struct milter_result *);

#endif
