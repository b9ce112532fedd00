#!/bin/bash
# run.sh - network polling, measured; `make bench-scan` runs all parts, docs/performance.md
# has the figures. PARTS="listen" picks.
# SPDX-License-Identifier: ISC
set -u
here=$(dirname "$0")
for part in ${PARTS:-listen}; do
	"$here/$part.sh" || exit 1
done
