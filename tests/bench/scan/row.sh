# row.sh - a row of the bench's table, for scripts that source it: $ROWS gets it.
# SPDX-License-Identifier: ISC

# row CASE UNIT OURS [PEER THEIRS]: less is better, but for a UNIT of something a second.
row() {
	jq -cn --arg c "$1" --arg u "$2" --argjson o "$3" --arg p "${4-}" --argjson t "${5:-null}" '
		{case: $c, unit: $u, ours: $o, peer: (if $p == "" then null else $p end), theirs: $t,
		 ratio: (if $t == null then null else (if $u | endswith("/s") then $o / $t else $t / $o end) * 100 | round / 100 end)}' \
		>>"${ROWS:-/dev/stdout}"
}
