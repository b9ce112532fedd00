#!/bin/bash
# run.sh - network polling, measured; `make bench-scan` runs all parts, docs/performance.md
# has the figures. PARTS="listen find" picks.
# SPDX-License-Identifier: ISC
set -u
here=$(dirname "$0")
for part in ${PARTS:-listen find}; do
	"$here/$part.sh" || exit 1
done
