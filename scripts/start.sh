#!/usr/bin/env bash
# Builds the gateway and serves on :8080 with scripts/routes. Arguments are
# passed on to `stratix serve`; see `bin/stratix serve --help`.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/build.sh
exec bin/stratix serve "$@"
