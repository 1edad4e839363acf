#!/usr/bin/env bash
# Breaks a gateway on purpose, and proves that nothing it acknowledged is lost:
# it is killed, cut off, its disk fills and fails, its scripts change, what waits
# is bounded, clients forget; then the history of what its clients saw is checked.
# Without arguments about 30 s.
#
#   bash scripts/torture.sh --for 10m --rate 3000
#   bash scripts/torture.sh --overflow conflate
#   bash scripts/torture.sh --faults kill --overflow none --for 45s --rate 10000    # some 50 kills
#   SEED=17 bash scripts/torture.sh --faults kill,cut,lose --overflow none
#
# The seed is printed first and last; the overflow policy follows from it unless
# it is given. When a rule is broken, the exit code is 1 and the history is kept,
# which `bin/torture check FILE` checks again. All flags: scripts/torture.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
CGO_ENABLED=0 go build -trimpath -o bin/torture ./cmd/torture
if [ -n "${SEED:-}" ]; then
  set -- --seed "$SEED" "$@"
fi
exec bin/torture run "$@"
