#include "map_ldap.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* Newest first; the last are those of systems with another naming. */
static const char *const names[] = {"libldap.so.2", "libldap-2.6.so.0", "libldap-2.5.so.0",
    "libldap_r-2.4.so.2", "libldap-2.4.so.2", "libldap.so", "libibmldap.a(libibmldap.so)",
    "libldap.a(libldap.so)"};

#define CALL(name, field)                                         \
	{                                                         \
		name, offsetof(struct ldap_library, field), false \
	}
#define MAY_MISS(name, field)                                    \
	{                                                        \
		name, offsetof(struct ldap_library, field), true \
	}

static const struct {
	const char *name;
	size_t offset;
	bool may_miss;
} calls[] = {
    MAY_MISS("ldap_initialize", initialize),
    MAY_MISS("ldap_init", init),
    CALL("ldap_set_option", set_option),
    MAY_MISS("ldap_sasl_bind_s", bind),
    MAY_MISS("ldap_simple_bind_s", simple_bind),
    CALL("ldap_search_st", search),
    CALL("ldap_first_entry", first_entry),
    CALL("ldap_next_entry", next_entry),
    CALL("ldap_first_attribute", first_attribute),
    CALL("ldap_next_attribute", next_attribute),
    CALL("ldap_get_values_len", values),
    CALL("ldap_value_free_len", free_values),
    CALL("ldap_memfree", free_memory),
    MAY_MISS("ber_free", free_position),
    CALL("ldap_msgfree", free_message),
    CALL("ldap_unbind", unbind),
    CALL("ldap_err2string", error_text),
};

static bool
find_calls(struct ldap_library *library)
{
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		void *found = dlsym(library->handle, calls[i].name);

		if (found == NULL && !calls[i].may_miss)
			return false;
		memcpy((char *)library + calls[i].offset, &found, sizeof found);
	}
	return (library->initialize != NULL || library->init != NULL) &&
	       (library->bind != NULL || library->simple_bind != NULL);
}

const struct ldap_library *
ldap_library(const char **reason)
{
	static struct ldap_library library;
	static bool was_tried, is_there;

	for (size_t i = 0; !was_tried && !is_there && i < sizeof names / sizeof names[0]; i++) {
		library.handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
		if (library.handle != NULL)
			is_there = find_calls(&library);
	}
	was_tried = true;
	*reason = is_there ? NULL : "no LDAP library (OpenLDAP's libldap) is installed";
	return is_there ? &library : NULL;
}
