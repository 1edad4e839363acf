#!/usr/bin/env bash
# Breaks a gateway on purpose, and proves that nothing it acknowledged is lost:
# it is killed, cut off, its disk fills and fails, its scripts change; then the
# history of what its clients saw is checked. Without arguments about 30 s.
#
#   bash scripts/torture.sh --for 10m --rate 3000
#   SEED=17 bash scripts/torture.sh --faults kill,cut,lose
#
# The seed is printed first and last. When a rule is broken, the exit code is 1
# and the history is kept; see `bin/torture run --help`.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
CGO_ENABLED=0 go build -trimpath -o bin/torture ./cmd/torture
if [ -n "${SEED:-}" ]; then
  set -- --seed "$SEED" "$@"
fi
exec bin/torture run "$@"
