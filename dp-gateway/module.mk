# dp-gateway/ - carries devices' connections to the Administration Server.
PROGS += dp-gateway
dp-gateway_SRCS := \
	dp-gateway/main.c \
	dp-gateway/accept.c \
	dp-gateway/admin.c \
	dp-gateway/admit.c \
	dp-gateway/conn.c \
	dp-gateway/dial.c \
	dp-gateway/dialler.c \
	dp-gateway/ends.c \
	dp-gateway/forward.c \
	dp-gateway/gateway.c \
	dp-gateway/hello.c \
	dp-gateway/kinds.c \
	dp-gateway/link.c \
	dp-gateway/mux.c \
	dp-gateway/mux_peer.c \
	dp-gateway/mux_stream.c \
	dp-gateway/peer_lines.c \
	dp-gateway/proxy.c \
	dp-gateway/push.c \
	dp-gateway/push_clone.c \
	dp-gateway/push_request.c \
	dp-gateway/push_sibling.c \
	dp-gateway/push_wake.c \
	dp-gateway/recent.c \
	dp-gateway/registry.c \
	dp-gateway/redial.c \
	dp-gateway/relay.c \
	dp-gateway/sandbox.c \
	dp-gateway/shakes.c \
	dp-gateway/target.c \
	dp-gateway/terminate.c \
	dp-gateway/term_tunnel.c \
	dp-gateway/tunnel.c \
	dp-gateway/uplink.c \
	dp-gateway/uplink_admin.c \
	dp-gateway/upstream.c \
	dp-gateway/via.c \
	dp-gateway/wake.c
dp-gateway_PKGS := libnghttp2
dp-gateway_TESTS := check_gateway_ends check_gateway_hello check_gateway_mux check_gateway_peer_lines check_gateway_redial check_gateway_registry check_gateway_wake check_gateway_relay check_gateway_shakes check_gateway_target check_gateway_upstream
dp-gateway_FUZZ := fuzz_connect_headers fuzz_hello fuzz_mux fuzz_proxy fuzz_target fuzz_wake
