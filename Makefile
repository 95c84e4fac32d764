# Pillarbox.  `make demo` and `make check` do their own set-up; everything else is as usual:
# ./configure && make && make install DESTDIR=...
# Objects go to build/; every .c under src/ is found by itself.
.DEFAULT_GOAL := all
-include config.mk

VERSION ?= 0.1.0
B ?= build
# V=1 shows the commands.
Q = $(if $(V),,@)
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla $(WERROR)
DEFS = -DVERSION='"$(VERSION)"' -DSBINDIR='"$(sbindir)"' -DLIBEXECDIR='"$(libexecdir)/pillarbox"' \
	-DSYSCONFDIR='"$(confdir)"' -DSTATEDIR='"$(statedir)"' -DMAIL_USER='"$(MAIL_USER)"' -DMAIL_GROUP='"$(MAIL_GROUP)"'
ALL_CFLAGS = $(CFLAGS) $(WARN) -MMD -MP $(SANITIZE)
ALL_CPPFLAGS = -Iinclude -I$(B) $(DEFS) $(CPPFLAGS) $(SRC_CPPFLAGS)

# The prefix is what real sendmail's users have in their scripts: /usr, /etc/mail, /var.
confdir = $(if $(filter /usr/local/etc,$(sysconfdir)),/usr/local/etc/mail,$(sysconfdir)/mail)
statedir = $(localstatedir)

FOLDERS = os base net map proc mail conf rule queue smtp milter route client server submit deliver run main
# One file a system, and SRC's side of the daemon where there is libsrc (configure: --with-src).
LEFT_OUT = $(filter-out src/os/$(OS).c src/os/$(OS)_%.c,src/os/linux.c src/os/linux_sandbox.c src/os/aix.c) src/proc/$(if $(SRC_LIBS),subsystem_none,subsystem).c
SRC := $(filter-out $(LEFT_OUT),$(foreach f,$(FOLDERS),$(wildcard src/$(f)/*.c)))
# A file of src/main named tool_NAME.c, sendmail.c or pillarbox.c has a main(); the rest is the library.
PROGRAM_SRC := $(filter src/main/tool_%.c src/main/sendmail.c src/main/pillarbox.c,$(SRC))
LIB_OBJ := $(patsubst src/%.c,$(B)/%.o,$(filter-out $(PROGRAM_SRC),$(SRC)))
TOOLS := $(patsubst src/main/tool_%.c,%,$(filter src/main/tool_%.c,$(SRC)))
PROGRAMS := $(addprefix $(B)/,$(if $(wildcard src/main/sendmail.c),sendmail) $(if $(wildcard src/main/pillarbox.c),pillarbox) $(TOOLS))
LIB = $(B)/libpillarbox.a

all: $(PROGRAMS)

ifeq ($(wildcard config.mk),)
ifneq ($(filter-out check check-long check-src check-be bench demo bootstrap clean distclean,$(or $(MAKECMDGOALS),all)),)
$(error not configured: run ./configure first; make demo and make check do it by themselves)
endif
endif

$(B)/%.o: src/%.c config.mk
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_OBJ)

# sendmail, as programs call it, links no TLS and no SASL: it must start fast.
$(B)/sendmail: $(B)/main/sendmail.o $(LIB)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(DB_LIBS) $(RESOLV_LIBS) $(LIBS)

$(B)/pillarbox: $(B)/main/pillarbox.o $(LIB)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(TLS_LIBS) $(SASL_LIBS) $(DB_LIBS) $(RESOLV_LIBS) $(SRC_LIBS) $(LIBS)

$(addprefix $(B)/,$(TOOLS)): $(B)/%: $(B)/main/tool_%.o $(LIB)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(DB_LIBS) $(RESOLV_LIBS) $(LIBS)

# Tests.  tests/unit/FOLDER/test_MODULE.c is one cmocka program each.
UNIT := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/unit/*/test_*.c))
TEST_PROGRAMS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/wire/*.c tests/queue/*.c tests/system/*.c tests/bench/*.c))

$(B)/tests/%: tests/%.c $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) -Itests $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(TLS_LIBS) $(SASL_LIBS) $(DB_LIBS) $(RESOLV_LIBS) $(SRC_LIBS) $(LIBS) $(CMOCKA_LIBS)

# An emulator of AIX's SRC, and the daemon's own source against each variant of its <spc.h>.
SRC_VARIANT ?= A
EMULATOR = tests/src/emulator
SRC_COMPILE = $(CC) $(ALL_CPPFLAGS) -I$(EMULATOR) $(ALL_CFLAGS)
define SRC_RULES
$(B)/src/$(1)/%.o: $(EMULATOR)/%.c config.mk
	@mkdir -p $$(@D)
	$(Q)$(SRC_COMPILE) -DSRC_EMU_VARIANT=$(1) -c -o $$@ $$<
$(B)/src/$(1)/subsystem.o: src/proc/subsystem.c config.mk
	@mkdir -p $$(@D)
	$(Q)$(SRC_COMPILE) -DSRC_EMU_VARIANT=$(1) -c -o $$@ $$<
$(B)/src/$(1)/libsrc.a: $(B)/src/$(1)/libsrc.o $(B)/src/$(1)/common.o
	@rm -f $$@
	$(Q)$(AR) rcs $$@ $$^
$(B)/src/$(1)/pillarbox: $(B)/main/pillarbox.o $(B)/src/$(1)/subsystem.o $(LIB) $(B)/src/$(1)/libsrc.a
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $$@ $$^ $(TLS_LIBS) $(SASL_LIBS) $(DB_LIBS) $(RESOLV_LIBS) $(LIBS)
SRC_PROGRAMS += $(addprefix $(B)/src/$(1)/,pillarbox srcmstr client srcprobe)
$(addprefix $(B)/src/$(1)/,srcmstr client srcprobe): %: %.o $(B)/src/$(1)/libsrc.a
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $$@ $$^
endef
$(foreach v,A B W,$(eval $(call SRC_RULES,$(v))))
$(B)/pillarbox: $(filter %.a,$(SRC_LIBS))

unit: $(UNIT)
src-programs: $(SRC_PROGRAMS)
test-programs: $(TEST_PROGRAMS) src-programs
check-unit: $(UNIT)
	@tests/run --unit

check:
	@tests/lib/setup check
	@tests/run check

check-long:
	@tests/lib/setup check
	@tests/run long

# SRC alone: the daemon under an emulator of AIX's System Resource Controller.
check-src:
	@tests/lib/setup check
	@tests/run check tests/src/

check-be:
	@tests/lib/setup demo
	@tests/lib/check-be

bench:
	@tests/lib/setup check
	@tests/run bench

demo:
	@tests/lib/setup demo
	@tests/system/demo

# After a change of configure.ac; configure stands in the repository so that nobody needs autoconf.
bootstrap:
	autoconf && autoheader && touch include/config.h.in && rm -rf autom4te.cache

format:
	clang-format -i $(wildcard src/*/*.c include/*/*.h tests/*/*.c tests/*/*/*.c)

clean:
	rm -rf $(B)

distclean: clean
	rm -f config.mk config.log config.status include/config.h

-include $(shell find $(B) -path $(B)/peers -prune -o -name '*.d' -print 2>/dev/null)
.PHONY: all deb unit src-programs test-programs check check-unit check-long check-src check-be bench demo bootstrap format clean distclean install install-system

# Installs over the names that everybody calls.  Files of /etc/mail that exist are left alone, and no
# spool is touched; install-system makes the users and spool directories that are missing.
DESTDIR ?=
install: all
	@$(INSTALL) -d -m 755 $(DESTDIR)$(sbindir) $(DESTDIR)$(bindir) $(DESTDIR)$(libdir) $(DESTDIR)$(libexecdir)/pillarbox $(DESTDIR)$(confdir)
	@for p in $(notdir $(PROGRAMS)); do case $$p in \
	pillarbox) to=$(libexecdir)/pillarbox/pillarbox ;; \
	mail_local) to=$(libexecdir)/pillarbox/mail.local ;; \
	smrsh) to=$(libexecdir)/pillarbox/smrsh ;; \
	*) to=$(sbindir)/$$p ;; \
	esac; rm -f $(DESTDIR)$$to && $(INSTALL) -m 755 $(B)/$$p $(DESTDIR)$$to || exit 1; done
	@if chgrp $(MAIL_GROUP) $(DESTDIR)$(sbindir)/sendmail 2>/dev/null; then chmod 2755 $(DESTDIR)$(sbindir)/sendmail; fi
	@for n in mailq newaliases hoststat purgestat; do ln -sf $(sbindir)/sendmail $(DESTDIR)$(bindir)/$$n; done
	@[ $(DESTDIR)$(libdir)/sendmail -ef $(DESTDIR)$(sbindir)/sendmail ] || ln -sf $(sbindir)/sendmail $(DESTDIR)$(libdir)/sendmail
	@for f in $(notdir $(wildcard cf/*)); do [ -e $(DESTDIR)$(confdir)/$$f ] || \
	{ sed 's|/usr/libexec/pillarbox|$(libexecdir)/pillarbox|g; s|/etc/mail|$(confdir)|g; s|/var/spool|$(statedir)/spool|g' cf/$$f \
	>$(DESTDIR)$(confdir)/$$f && case $$f in authinfo) chmod 600 $(DESTDIR)$(confdir)/$$f ;; *) chmod 644 $(DESTDIR)$(confdir)/$$f ;; esac; }; done
	@for n in 1 5 8; do for f in $(wildcard docs/man/*.[158]); do case $$f in *.$$n) \
	$(INSTALL) -d -m 755 $(DESTDIR)$(mandir)/man$$n && $(INSTALL) -m 644 $$f $(DESTDIR)$(mandir)/man$$n/ || exit 1 ;; esac; done; done
	@echo '.so man8/hoststat.8' >$(DESTDIR)$(mandir)/man8/purgestat.8

# build/deb/pillarbox_VERSION_ARCHITECTURE.deb
DEB_REVISION ?= 1
deb: all
	@[ "$(sbindir) $(confdir) $(statedir)" = "/usr/sbin /etc/mail /var" ] || \
	{ echo "make deb: ./configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var first" >&2; exit 1; }
	@mkdir -p $(B)/deb && packaging/debian/build $(VERSION)-$(DEB_REVISION) $(abspath $(B))/deb

# As root, on the system itself: the users, groups and spool directories that are missing.
install-system:
	@for u in $(MAIL_USER) $(MAIL_GROUP); do \
	grep -q "^$$u:" /etc/group || groupadd -r $$u || exit 1; \
	id $$u >/dev/null 2>&1 || useradd -r -g $$u -d $(statedir)/lib/sendmail -s /usr/sbin/nologin $$u || exit 1; done
	@[ -d $(statedir)/spool/mqueue ] || $(INSTALL) -d -m 2750 -o $(MAIL_USER) -g $(MAIL_GROUP) $(statedir)/spool/mqueue
	@[ -d $(statedir)/spool/mqueue-client ] || $(INSTALL) -d -m 2770 -o $(MAIL_GROUP) -g $(MAIL_GROUP) $(statedir)/spool/mqueue-client
	@chgrp $(MAIL_GROUP) $(sbindir)/sendmail && chmod 2755 $(sbindir)/sendmail
