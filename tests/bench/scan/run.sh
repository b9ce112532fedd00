#!/bin/bash
# run.sh - network polling, measured; `make bench-scan` runs all parts, docs/performance.md
# has the figures. PARTS="listen find records upward" picks. Each part says its rows to the file
# $ROWS; closes with a table of them and a line of JSON: ratio over 1 means ours is better.
# SPDX-License-Identifier: ISC
set -u
here=$(dirname "$0")
export ROWS=${ROWS:-$(mktemp)}
trap 'rm -f "$ROWS"' EXIT
for part in ${PARTS:-listen find records upward}; do
	"$here/$part.sh" || exit 1
done
echo
jq -rs '.[] | [.case, .ours, .unit, .peer // "-", .theirs // "-", .ratio // "-"] | @tsv' "$ROWS" |
	awk -F '\t' '{ printf "%-36s %12s %-10s %-10s %10s %6s\n", $1, $2, $3, $4, $5, $6 }'
jq -cs '{bench: "scan", rows: .}' "$ROWS"
