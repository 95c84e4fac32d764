/*
 * alias: who is known on this host: the alias files (option AliasFile) and the password file.
 */
#ifndef ROUTE_ALIAS_H
#define ROUTE_ALIAS_H

#include <stdbool.h>

#include "rule/rule.h"

struct alias_result {
	bool found;
	const char *value; /* right side as it stands in the file: "alice, bob,\tcarol" */
	const char *name;  /* the left side that matched: "user+detail", "user+*" or "user" */
	bool is_temporary; /* a file could not be asked now */
	const char
	    *message; /* lines about a file that was read just now ("F: line 3: ..."), or NULL */
};

/* Declares the maps of option AliasFile ("Alias0", ...) now, not at the first look-up. */
void alias_declare(struct config *);

/* Asks the alias files in their order for a local part (folded to lower case; V8's steps for +detail). */
void alias_lookup(struct config *, const char *local_part, struct arena *, struct alias_result *);

struct alias_user {
	const char *login, *full_name, *home, *shell;
	uid_t uid;
	gid_t gid;
};

enum alias_known {
	ALIAS_KNOWN_USER,    /* in the password file */
	ALIAS_KNOWN_ALIAS,   /* in an alias file */
	ALIAS_KNOWN_OTHER,   /* the mailer does not ask, or set localaddr sends it elsewhere */
	ALIAS_UNKNOWN,	     /* 550 5.1.1 User unknown */
	ALIAS_NOT_KNOWN_NOW, /* a file or service gives no answer */
};

/* The password file by login name; full name from gecos as V8 reads it (up to the comma, & replaced). */
bool alias_find_user(const char *login, struct arena *, struct alias_user *);
/* The same, also by the name in small letters. */
bool alias_find_account(const char *name, struct arena *, struct alias_user *);
/* Option MatchGECOS: by the full name, in which `_` may stand for blanks; the first who has it. */
bool alias_find_full_name(const char *name, struct arena *, struct alias_user *);

/*
 * Is there somebody behind what an address resolved to?  Asks only what the mailer's flags say: A
 * aliases, w password file, 5 set localaddr.  *alias and *user are filled when that is the answer.
 */
enum alias_known alias_check(struct rule_context *, const struct mailer *, const char *host,
    const char *user, struct alias_result *alias, struct alias_user *account);

#endif
