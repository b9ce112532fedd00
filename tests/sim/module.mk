# tests/sim/ - dp-mcast's sender and dp-agent's receivers together, in virtual
# time.  The only place that links modules of two programs.
MCAST_BOTH := $(patsubst %,$(BUILD)/obj/%.o,\
	dp-mcast/sender dp-mcast/pace dp-agent/receiver)
MCAST_SIM := $(MCAST_BOTH) $(BUILD)/obj/tests/sim/world.o
UNIT += check_mcast_joined check_mcast_sim

$(BUILD)/tests/check_mcast_joined: $(BUILD)/obj/tests/unit/check_mcast_joined.o \
    $(MCAST_BOTH) $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(COMMON_LIBS)
$(BUILD)/tests/check_mcast_sim: $(BUILD)/obj/tests/unit/check_mcast_sim.o \
    $(MCAST_SIM) $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(COMMON_LIBS) -lm
$(BUILD)/tests/sim-mcast: $(BUILD)/obj/tests/sim/mcast.o $(MCAST_SIM) \
    $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(COMMON_LIBS) -lm
sim-mcast: $(BUILD)/tests/sim-mcast
	@$(BUILD)/tests/sim-mcast -o $(or $(SVG),$(BUILD)/sim-mcast.svg) $(RECEIVERS)
.PHONY: sim-mcast
