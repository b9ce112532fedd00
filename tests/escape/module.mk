# tests/escape/ - a taken-over worker, once behind each worker's own sandbox
ESCAPES := control $(foreach r,connect store fetch serve mcast gateway \
	scan probe listen ldap,\
	$(if $(wildcard dp-$r/sandbox.c),$r))
ESCAPES += $(if $(wildcard dp-agent/net_sandbox.c),agent-net)
escape_sandbox_control := dp-master/control_sandbox
escape_sandbox_agent-net := dp-agent/net_sandbox
define escape
$(BUILD)/obj/tests/escape/$1.o: tests/escape/escape.c
	@mkdir -p $$(@D)
	$$(CC) -std=c11 -D_GNU_SOURCE -DDPOINT_VERSION='"$$(VERSION)"' -I. \
	    -DROLE_NAME='"$1"' -DSANDBOX=$(if $(filter agent-net,$1),net_sandbox -DALONE,$1_sandbox) -Wall -Wextra $$(WERROR) \
	    $$(CFLAGS) $$(CPPFLAGS) -MMD -MP -c -o $$@ $$<
$(BUILD)/tests/escape/dp-$1: $(BUILD)/obj/tests/escape/$1.o $(BUILD)/obj/$2.o $(BUILD)/libcommon.a
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(COMMON_LIBS)
endef
$(foreach r,$(ESCAPES),$(eval $(call escape,$r,$(or $(escape_sandbox_$r),dp-$r/sandbox))))
escapes: $(ESCAPES:%=$(BUILD)/tests/escape/dp-%)
.PHONY: escapes
