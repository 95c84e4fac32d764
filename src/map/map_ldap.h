/*
 * map_ldap: the LDAP library, found at the first use: OpenLDAP's, or another with RFC 1823's calls.  Its
 * interface is declared here, so that nothing of it is needed to build or to start.
 */
#ifndef MAP_LDAP_H
#define MAP_LDAP_H

#include <stdbool.h>
#include <sys/time.h>
#include <sys/types.h>

#include "base/secret.h"
#include "map_internal.h"

struct ldap_berval {
	unsigned long length;
	char *bytes;
};

enum {				   /* of the C interface of LDAP, the same in all libraries */
	LDAP_SERVER_DOWN = -1,	   /* OpenLDAP */
	LDAP_SERVER_DOWN_OLD = 81, /* RFC 1823 */
	LDAP_VERSION_MAXIMUM = 3,
	LDAP_SUCCESS_CODE = 0,
	LDAP_SIZE_EXCEEDED = 4,
	LDAP_NO_OBJECT = 32,
	LDAP_SCOPE_OF_BASE = 0,
	LDAP_SCOPE_OF_ONE = 1,
	LDAP_SCOPE_OF_SUB = 2,
	LDAP_OPTION_DEREF = 2,
	LDAP_OPTION_SIZE_LIMIT = 3,
	LDAP_OPTION_TIME_LIMIT = 4,
	LDAP_OPTION_REFERRALS = 8,
	LDAP_OPTION_VERSION = 17,
	LDAP_OPTION_TIMEOUT = 0x5002,	      /* OpenLDAP's */
	LDAP_OPTION_NETWORK_TIMEOUT = 0x5005, /* the same */
};

struct ldap_library {
	void *handle;
	int (*initialize)(void **session, const char *uri);
	void *(*init)(const char *host, int port); /* where initialize is missing */
	int (*set_option)(void *session, int option, const void *value);
	int (*bind)(void *session, const char *name, const char *mechanism,
	    struct ldap_berval *credential, void **, void **, struct ldap_berval **);
	int (*simple_bind)(void *session, const char *name, const char *password);
	int (*search)(void *session, const char *base, int scope, const char *filter,
	    char **attributes, int names_only, struct timeval *limit, void **result);
	void *(*first_entry)(void *session, void *result);
	void *(*next_entry)(void *session, void *entry);
	char *(*first_attribute)(void *session, void *entry, void **position);
	char *(*next_attribute)(void *session, void *entry, void *position);
	struct ldap_berval **(*values)(void *session, void *entry, const char *attribute);
	void (*free_values)(struct ldap_berval **);
	void (*free_memory)(void *);
	void (*free_position)(void *position, int with_buffer); /* NULL: the library leaks it */
	int (*free_message)(void *);
	int (*unbind)(void *session);
	char *(*error_text)(int error);
};

/* -- map_ldap_options.c */

/* What the value of an attribute is: itself, or where to search on. */
enum attribute_type { TYPE_NORMAL, TYPE_DN, TYPE_FILTER, TYPE_URL };

struct ldap_state {
	const char *filter, *base, *host, *uri, *name; /* -k -b -h -H -d */
	char **attributes;			       /* -v, ended by NULL; NULL: all */
	size_t attribute_count;			       /* of those of -v */
	const char **classes; /* "person|other": it counts in such entries alone; NULL: in all */
	enum attribute_type *types; /* of the attributes */
	const char *name_separator; /* -V */
	char separator;		    /* -z; 0: the first value alone */
	int port, scope, deref, version, network_seconds, search_seconds, size_limit;
	bool has_simple_bind; /* -M simple */
	bool names_only, single_match, no_referrals, has_arguments, knows_dereference;
	bool is_default;	/* of option LDAPDefaultSpec */
	bool has_other_options; /* one that is not of LDAP */
	struct secret password;
	void *session;
	pid_t owner;
};

/* Reads the words of a K line into map->state. */
bool map_ldap_declare(struct map *, const char *arguments, struct map_errors *);

/* -- map_ldap_library.c */

/* NULL and *reason when there is none; tried once a process. */
const struct ldap_library *ldap_library(const char **reason);

#endif
