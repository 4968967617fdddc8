#!/bin/bash
# make-reference.sh: writes docs/reference.md from the comments in the catalog.
set -euo pipefail
cd "$(dirname "$0")/.."
. docs/throwaway.sh

q -f docs/reference.sql >"$W/reference.md"
cp "$W/reference.md" docs/reference.md
echo "docs/reference.md: $(grep -c '^### ' docs/reference.md) objects"
