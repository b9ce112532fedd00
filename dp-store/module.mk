# dp-store - the only process that opens the index and the content.
PROGS += dp-store
dp-store_SRCS := \
	dp-store/main.c \
	dp-store/admin.c \
	dp-store/content.c \
	dp-store/inbox.c \
	dp-store/inbox_row.c \
	dp-store/index.c \
	dp-store/io.c \
	dp-store/jobs.c \
	dp-store/names.c \
	dp-store/peer.c \
	dp-store/publish.c \
	dp-store/reports.c \
	dp-store/reports_admin.c \
	dp-store/reports_age.c \
	dp-store/reports_give.c \
	dp-store/reports_write.c \
	dp-store/sandbox.c
dp-store_LIBS := -llmdb -lpthread
dp-store_TESTS := check_inbox check_store
dp-store_FUZZ := fuzz_inbox_row fuzz_names
