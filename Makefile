# dpoint - one make sees the whole graph; each directory describes itself in
# its module.mk:
#   PROGS += dp-x            a program, built as $(BUILD)/dp-x
#   dp-x_SRCS := ...         its sources; the first one holds main()
#   dp-x_PKGS := ...         pkg-config names beyond what common/ needs
#   dp-x_TESTS := ...        unit tests of its modules: tests/unit/<name>.c
#   dp-x_FUZZ := ...         fuzz targets: tests/fuzz/<name>.c
# SPDX-License-Identifier: ISC

BUILD	?= build
DESTDIR	?=
PREFIX	?= /usr
VERSION	:= 0.1.0

CC	?= gcc
WARN	?= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	   -Wformat=2 -Wpointer-arith -Wundef -Wvla
WERROR	?=
OPT	?= -O2 -g
HARDEN	?= -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fcf-protection
HARDEN_LD ?= -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed
CFLAGS	?= $(OPT) $(HARDEN)
LDFLAGS	?= $(HARDEN_LD)

all: programs

PROGS :=
include common/module.mk
include $(filter-out common/module.mk,$(sort $(wildcard */module.mk)))

# The libraries of common/: a program links what it uses (--as-needed).
COMMON_LIBS := $(foreach p,$(common_PKGS),$(shell pkg-config --libs $p \
	|| echo need-$p)) $(common_LIBS)
ifneq ($(filter need-%,$(COMMON_LIBS)),)
$(error pkg-config does not know: $(patsubst need-%,%,$(filter need-%,$(COMMON_LIBS))); ./check.sh installs what is missing)
endif

programs: $(PROGS:%=$(BUILD)/%)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -DDPOINT_VERSION='"$(VERSION)"' -I. \
	    $(WARN) $(WERROR) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libcommon.a: $(common_SRCS:%.c=$(BUILD)/obj/%.o)
	@rm -f $@
	ar rcs $@ $^

# A program: its objects, common/, and the libraries it names.
define program
$(BUILD)/$1: $($1_SRCS:%.c=$(BUILD)/obj/%.o) $(BUILD)/libcommon.a
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ \
	    $(foreach p,$($1_PKGS),$$(shell pkg-config --libs $p)) \
	    $($1_LIBS) $$(COMMON_LIBS)
endef
$(foreach p,$(PROGS),$(eval $(call program,$p)))

include tests/tests.mk

asan:
	$(MAKE) BUILD=build/asan LDFLAGS='$(SAN)' CFLAGS='$(SAN)' \
	    CPPFLAGS='-DDPOINT_SANITIZED' all check
SAN := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all

# Two looks by other eyes; both must find nothing.
ALL_SRCS = $(sort $(common_SRCS) $(foreach p,$(PROGS),$($p_SRCS)))
tidy:
	printf '%s\n' $(ALL_SRCS) | xargs -P $$(nproc) -n 1 sh -c 'clang-tidy \
	    --quiet --warnings-as-errors="*" "$$1" -- -std=c11 -D_GNU_SOURCE \
	    -DDPOINT_VERSION=\"$(VERSION)\" -I. -I$(BUILD)/gen $(shell pkg-config --cflags libnl-route-3.0)' tidy
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
	    --enable=warning,portability,performance -D_GNU_SOURCE \
	    -DDPOINT_VERSION='"$(VERSION)"' --suppress=missingInclude -I. $(ALL_SRCS)

LIBEXEC	:= $(PREFIX)/libexec/dpoint
SBIN	:= $(filter dpctl dp-master dp-agent,$(PROGS))
install: all
	install -d $(DESTDIR)$(LIBEXEC) $(DESTDIR)$(PREFIX)/sbin
	install -m 755 $(addprefix $(BUILD)/,$(filter-out $(SBIN),$(PROGS))) $(DESTDIR)$(LIBEXEC)/
	install -m 755 $(addprefix $(BUILD)/,$(SBIN)) $(DESTDIR)$(PREFIX)/sbin/
	install -Dm 644 packaging/sysusers/dpoint.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/dpoint.conf
	install -Dm 644 packaging/modules-load.d/dpoint.conf $(DESTDIR)$(PREFIX)/lib/modules-load.d/dpoint.conf
	install -Dm 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system packaging/systemd/*.service
	install -Dm 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system-preset packaging/systemd/*.preset
	install -Dm 644 -t $(DESTDIR)$(PREFIX)/share/doc/dpoint packaging/dpoint.conf \
	    packaging/far-end.conf packaging/agent.conf docs/gateway.md docs/scan.md docs/design.md LICENSE
	install -Dm 644 packaging/completion/dpctl $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dpctl
	for p in $(wildcard */*.[1-8]); do install -Dm 644 -t \
	    $(DESTDIR)$(PREFIX)/share/man/man$${p##*.} $$p || exit 1; done

clean:
	rm -rf build

.PHONY: all programs asan tidy install clean
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
