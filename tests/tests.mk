# tests/tests.mk - unit tests, fuzz targets and system tests.
#
# tests/unit/check_x.c is a Check program, linked with what it needs of the
# program that lists it in <prog>_TESTS (all but the source with main) and with
# libcommon; common_TESTS need libcommon alone.  The same holds for <prog>_FUZZ
# and tests/fuzz/fuzz_x.c, which `make check-fuzz` replays over
# tests/fuzz/corpus/fuzz_x/ and `make fuzz` builds with libFuzzer.
# SPDX-License-Identifier: ISC

OWNERS := common $(PROGS)
UNIT := $(foreach o,$(OWNERS),$($o_TESTS))
FUZZ := $(foreach o,$(OWNERS),$($o_FUZZ))
CHECK_LIBS = $(shell pkg-config --libs check)
FUZZ_SECONDS ?= 60

# objects of a program without its main, which is in the first source; an
# archive, so that a test of one module does not pull in those that need main's
parts = $(if $(filter common,$1),,$(BUILD)/tests/$1.a)
define parts_archive
$(BUILD)/tests/$1.a: $(patsubst %.c,$(BUILD)/obj/%.o,$(wordlist 2,99,$($1_SRCS)))
	@mkdir -p $$(@D) && rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach p,$(PROGS),$(eval $(call parts_archive,$p)))
libs = $(if $(filter common,$1),,$(foreach p,$($1_PKGS),$(shell pkg-config --libs $p)) $($1_LIBS))

define unit_test
$(BUILD)/tests/$2: $(BUILD)/obj/tests/unit/$2.o $(call parts,$1) $(BUILD)/libcommon.a
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(CHECK_LIBS) $(call libs,$1) $$(COMMON_LIBS)
endef
$(foreach o,$(OWNERS),$(foreach t,$($o_TESTS),$(eval $(call unit_test,$o,$t))))

define fuzz_test
$(BUILD)/tests/$2: $(BUILD)/obj/tests/fuzz/$2.o $(FUZZ_MAIN) $(call parts,$1) $(BUILD)/libcommon.a
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) $$(FUZZ_LD) -o $$@ $$^ $(call libs,$1) $$(COMMON_LIBS)
endef
FUZZ_MAIN ?= $(BUILD)/obj/tests/fuzz/replay.o
$(foreach o,$(OWNERS),$(foreach t,$($o_FUZZ),$(eval $(call fuzz_test,$o,$t))))

# the TUF client behind the command line of the public tuf-conformance suite
$(BUILD)/tests/tuf-client: $(BUILD)/obj/tests/conformance/tuf-client.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libcurl) $(COMMON_LIBS)
tuf-client: $(BUILD)/tests/tuf-client

# repositories written by python3-securesystemslib, for check_tuf to follow
$(BUILD)/tests/check_tuf: | $(BUILD)/tests/tuf-cases/done
$(BUILD)/tests/tuf-cases/done: tests/unit/tuf_cases.py
	/usr/bin/python3 $< $(@D) && touch $@

# play the master and other workers to a real dp-store, dp-probe or dp-listen
$(BUILD)/tests/store-driver $(BUILD)/tests/inbox-driver $(BUILD)/tests/probe-driver $(BUILD)/tests/listen-driver: $(BUILD)/tests/%-driver: \
    $(BUILD)/obj/tests/harness/%-driver.o $(BUILD)/obj/tests/harness/master.o \
    $(BUILD)/obj/tests/harness/trace.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(COMMON_LIBS)
# a wall clock that leaps, for a program that is started with it
$(BUILD)/tests/leap.so: tests/harness/leap.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE $(WARN) $(WERROR) $(OPT) -shared -fPIC -o $@ $<
# writes a multicast session to a capture file
$(BUILD)/tests/flute-writer: $(BUILD)/obj/tests/harness/flute-writer.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(COMMON_LIBS)
# many devices on a gateway's push channel
$(BUILD)/tests/push-devices: $(BUILD)/obj/tests/harness/push-devices.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libssl libcrypto)
harness: $(BUILD)/tests/listen-driver $(BUILD)/tests/store-driver $(BUILD)/tests/inbox-driver $(BUILD)/tests/probe-driver $(BUILD)/tests/leap.so $(BUILD)/tests/push-devices $(BUILD)/tests/flute-writer \
    $(BUILD)/tests/mcast-send $(BUILD)/tests/mcast-recv

include tests/escape/module.mk
include tests/sim/module.mk

unit-tests: $(UNIT:%=$(BUILD)/tests/%) tuf-client
fuzzers: $(FUZZ:%=$(BUILD)/tests/%)

check: check-unit check-fuzz check-system
check-unit: unit-tests
	@tests/run-unit $(UNIT:%=$(BUILD)/tests/%)
check-fuzz: fuzzers
	@ok=0 bad=0; for f in $(FUZZ); do \
	    if $(BUILD)/tests/$$f tests/fuzz/corpus/$$f; then ok=$$((ok + 1)); \
	    else echo "FAILED $$f"; bad=$$((bad + 1)); fi; done; \
	    echo "fuzz: $$ok passed, $$bad failed"; [ $$bad -eq 0 ]
check-system: all escapes unit-tests harness
	@BUILD=$(BUILD) tests/run-system $(TESTS)
# kernel TLS in an emulated machine with Debian's kernel; a minute, so apart
check-ktls: all
	@BUILD=$(BUILD) tests/qemu/ktls || [ $$? -eq 77 ]

fuzz:
	$(MAKE) BUILD=build/fuzz CC=clang FUZZ_MAIN= FUZZ_LD=-fsanitize=fuzzer \
	    CFLAGS='-O1 -g -fsanitize=address,undefined,fuzzer-no-link' \
	    LDFLAGS='-fsanitize=address,undefined' fuzzers
	for f in $(FUZZ); do mkdir -p build/fuzz/found/$$f; \
	    build/fuzz/tests/$$f -max_total_time=$(FUZZ_SECONDS) \
	    build/fuzz/found/$$f tests/fuzz/corpus/$$f || exit 1; done

# Benchmarks; docs/performance.md says what they showed.
$(BUILD)/tests/hload: $(BUILD)/obj/tests/bench/hload.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libssl libcrypto)
bench-serve: all $(BUILD)/tests/hload
	@BUILD=$(BUILD) tests/bench/serve.sh
$(BUILD)/tests/gwload: $(BUILD)/obj/tests/bench/gwload.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libssl libcrypto) -lpthread
bench-gateway: all $(BUILD)/tests/gwload
	@BUILD=$(BUILD) tests/bench/gateway.sh
$(BUILD)/tests/dlhash: $(BUILD)/obj/tests/bench/dlhash.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libcurl libcrypto)
bench-hold: all $(BUILD)/tests/gwload
	@BUILD=$(BUILD) tests/bench/hold.sh
bench-uplink: all $(BUILD)/tests/gwload
	@BUILD=$(BUILD) tests/bench/uplink.sh
.PHONY: bench-uplink
bench-push: all $(BUILD)/tests/push-devices
	@BUILD=$(BUILD) tests/bench/push.sh
bench-fetch: all $(BUILD)/tests/dlhash
	@BUILD=$(BUILD) tests/bench/fetch.sh
$(BUILD)/tests/bench-rs: $(BUILD)/obj/tests/bench/rs.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libisal)
bench-rs: $(BUILD)/tests/bench-rs
	@$(BUILD)/tests/bench-rs $(RUNS)

$(BUILD)/tests/bench-wire: $(BUILD)/obj/tests/bench/wire.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libcrypto)
bench-wire: $(BUILD)/tests/bench-wire
	@$(BUILD)/tests/bench-wire $(RUNS)

# dp-mcast's sender and the agent's receiver alone, and what they are compared with
$(BUILD)/tests/mcast-send: $(BUILD)/obj/tests/bench/mcast/send.o $(BUILD)/tests/dp-mcast.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(COMMON_LIBS)
$(BUILD)/tests/mcast-recv: $(BUILD)/obj/tests/bench/mcast/recv.o $(BUILD)/tests/dp-agent-net.a \
    $(BUILD)/tests/dp-agent.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(COMMON_LIBS)
$(BUILD)/tests/mcast-raw: $(BUILD)/obj/tests/bench/mcast/raw.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libcrypto)
bench-mcast: $(BUILD)/tests/mcast-send $(BUILD)/tests/mcast-recv $(BUILD)/tests/mcast-raw
	@BUILD=$(BUILD) tests/bench/mcast/run.sh

$(BUILD)/tests/reports: $(BUILD)/obj/tests/bench/reports.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libssl libcrypto) -llmdb -lpthread
bench-inbox: all $(BUILD)/tests/reports
	@BUILD=$(BUILD) tests/bench/inbox.sh

# network polling
$(BUILD)/tests/flood: $(BUILD)/obj/tests/bench/scan/flood.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(COMMON_LIBS)
bench-scan: all $(BUILD)/tests/flood $(BUILD)/tests/listen-driver $(BUILD)/tests/check_devices $(BUILD)/tests/check_scan_round
	@BUILD=$(BUILD) tests/bench/scan/run.sh
.PHONY: bench-scan

bench-mcast-site: all
	@BUILD=$(BUILD) tests/bench/mcast-site.sh
.PHONY: bench-mcast-site

bench-store: all harness
	@d=$$(mktemp -d) && chown dp-store $$d && \
	    $(BUILD)/tests/store-driver $(BUILD)/dp-store $$d job bench 5 2>/dev/null; \
	    r=$$?; rm -rf $$d; exit $$r

.PHONY: bench-fetch bench-gateway bench-hold bench-inbox bench-mcast bench-push bench-rs bench-serve bench-store bench-wire tuf-client unit-tests fuzzers check check-unit check-fuzz check-system check-ktls fuzz
