# dp-agent/ - the network agent: root parent and sandboxed network child.
PROGS += dp-agent dp-agent-net
dp-agent_SRCS := \
	dp-agent/main.c \
	dp-agent/conf.c \
	dp-agent/mcast_socket.c \
	dp-agent/hook.c \
	dp-agent/keep.c \
	dp-agent/keeper.c \
	dp-agent/child.c \
	dp-agent/status.c
dp-agent_TESTS := check_agent_conf check_keep
dp-agent-net_SRCS := \
	dp-agent/net_main.c \
	dp-agent/conf.c \
	dp-agent/gather.c \
	dp-agent/link.c \
	dp-agent/mcast.c \
	dp-agent/mcast_api.c \
	dp-agent/mcast_get.c \
	dp-agent/mcast_wire.c \
	dp-agent/net_kept.c \
	dp-agent/net_link.c \
	dp-agent/net_report.c \
	dp-agent/receiver.c \
	dp-agent/net_refresh.c \
	dp-agent/net_sandbox.c \
	dp-agent/net_source.c \
	dp-agent/net_targets.c \
	dp-agent/news.c \
	dp-agent/sse.c \
	dp-agent/stream.c \
	dp-agent/wake.c
dp-agent-net_PKGS := libcurl
dp-agent-net_TESTS := check_gather check_link check_mcast_api check_mcast_get check_mcast_wire check_news check_receiver check_sse
dp-agent-net_FUZZ := fuzz_gather fuzz_mcast_agent fuzz_mcast_api fuzz_sse
