# common/ - what two or more programs need; knows no program.
common_SRCS := \
	common/addr_count.c \
	common/agent_sight.c \
	common/alc.c \
	common/conf.c \
	common/connect_client.c \
	common/curl_loop.c \
	common/download.c \
	common/fdt.c \
	common/group.c \
	common/hash.c \
	common/http_request.c \
	common/http_status.c \
	common/identity.c \
	common/ipc.c \
	common/json.c \
	common/listen.c \
	common/log.c \
	common/loop.c \
	common/mcast_group.c \
	common/mcast_msg.c \
	common/mcast_seal.c \
	common/msg.c \
	common/notify.c \
	common/packet.c \
	common/place.c \
	common/rd.c \
	common/report.c \
	common/rs.c \
	common/sandbox.c \
	common/scope.c \
	common/settings.c \
	common/sight.c \
	common/spawn.c \
	common/state.c \
	common/store_client.c \
	common/supply.c \
	common/tls.c \
	common/tls_client.c \
	common/tls_dates.c \
	common/tls_peer.c \
	common/tls_record.c \
	common/tls_rules.c \
	common/tls_sessions.c \
	common/tuf.c \
	common/tuf_key.c \
	common/tuf_meta.c \
	common/url.c \
	common/value.c \
	common/wan.c \
	common/worker.c \
	common/wr.c
common_PKGS := expat inih jansson libcrypto libevent_core libisal libseccomp libssl
common_LIBS :=
common_TESTS := check_addr_count check_bytes check_connect_client check_http_request check_ipc check_mcast_group check_report check_scope check_settings check_store_client check_tuf check_tls check_tls_record check_wan
# of multicast
common_TESTS += check_alc check_fdt check_mcast check_rs
common_FUZZ := fuzz_http_request fuzz_json fuzz_settings fuzz_state fuzz_tuf fuzz_tuf_signed fuzz_tls_record
common_FUZZ += fuzz_alc fuzz_fdt fuzz_mcast_notice fuzz_mcast_report
# of the inbox
common_FUZZ += fuzz_report
# of network polling
common_TESTS += check_agent_sight check_sight
common_FUZZ += fuzz_sight

# What the capture socket lets through, compiled when dpoint is built.
$(BUILD)/filter_table: common/filter_table.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(shell pkg-config --libs libpcap || echo need-libpcap)
$(BUILD)/gen/capture_filter.h: $(BUILD)/filter_table common/capture.filter
	@mkdir -p $(@D)
	$(BUILD)/filter_table <common/capture.filter >$@.new && mv $@.new $@
$(BUILD)/obj/common/packet.o: $(BUILD)/gen/capture_filter.h
# override: make asan gives CPPFLAGS on its command line
$(BUILD)/obj/common/packet.o: override CPPFLAGS += -I$(BUILD)/gen
