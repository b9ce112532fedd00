# tests/sim/ - dp-mcast's sender and dp-agent's receivers together, in virtual
# time.  The only place that links modules of two programs.
MCAST_BOTH := $(patsubst %,$(BUILD)/obj/%.o,\
	dp-mcast/sender dp-mcast/pace dp-agent/receiver)
UNIT += check_mcast_joined
$(BUILD)/tests/check_mcast_joined: $(BUILD)/obj/tests/unit/check_mcast_joined.o \
    $(MCAST_BOTH) $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(COMMON_LIBS)
