/*
 * emulator: what libsrc, srcmstr and the commands of the SRC emulator share.  Everything lies in
 * $SRC_EMU_DIR, which stands for /dev and the ODM: SRC (srcmstr's socket), .SRC-unix/ (all the others),
 * objrepos/SRCsubsys and SRCnotify (text), errlog, state, record, fault.
 */
#ifndef EMULATOR_H
#define EMULATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <spc.h>
#include <sys/srcobj.h>

enum {
	EMULATOR_PATH = 108,
	EMULATOR_OBJECTS = 64,
	EMULATOR_REQUEST = 2000 + sizeof(struct srcreq)
};

/* $SRC_EMU_DIR/name; ends the program when it is too long for a socket. */
void emulator_path(char path[EMULATOR_PATH], const char *name);

/* A datagram socket bound to a new name in .SRC-unix, or to `name` there when not NULL. -1 with errno. */
int emulator_bind(char path[EMULATOR_PATH], const char *name);
void emulator_set_address(struct src_emu_address *, const char *path);
/* False with errno: as for sendto(2). */
bool emulator_send(int fd, const char *path, const void *bytes, size_t length);
/* How long a command waits: $SRC_EMU_TIMEOUT seconds, 5 without. */
int emulator_timeout_ms(void);

/* A line of `record`: who to whom, and the fields of the packet. */
void emulator_record(const char *direction, const void *packet, size_t length, bool is_request);

/* A line of its own there. */
void emulator_note(const char *text);

/* The names of values in packets, for `record` and srcprobe: "STOP", "-711" when there is none. */
const char *emulator_name(int value, const char *families);
/* The value of a name, or of a decimal number. */
int emulator_value(const char *name);

/* Objects. */
struct emulator_objects {
	struct SRCsubsys items[EMULATOR_OBJECTS];
	int count;
};
void emulator_read_objects(struct emulator_objects *);
bool emulator_write_objects(const struct emulator_objects *);
struct SRCsubsys *emulator_find_object(struct emulator_objects *, const char *name_or_synonym);
void emulator_print_object(FILE *, const struct SRCsubsys *);
extern const char emulator_object_heading[];

/* SRCnotify: "name:method" a line, name of a subsystem or a group. */
bool emulator_find_method(const char *name, char *method, size_t size);

/* Splits as a shell does with blanks, single and double quotes; words point into `buffer`. */
int emulator_split(const char *text, char *buffer, size_t size, char **words, int maximum);

#endif
