/*
 * dead_letter: where a message goes that could not be delivered, when errors go to the terminal:
 * the end of `dead.letter` in the sender's home, written with the sender's own rights.
 */
#ifndef SUBMIT_DEAD_LETTER_H
#define SUBMIT_DEAD_LETTER_H

#include "submit/collect.h"
#include "submit/submission.h"

/*
 * Says "HOME/dead.letter... Saved message in HOME/dead.letter".  False when it could not be saved
 * there; a sentence was printed then.
 */
bool dead_letter_save(struct submission *, const struct collect *);

#endif
