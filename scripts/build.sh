#!/usr/bin/env bash
# Builds bin/stratix.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v go >/dev/null; then
  echo "build.sh: Go is not installed. Install Go 1.26 or newer and run this again." >&2
  exit 1
fi
version=$(git describe --tags --always --dirty 2>/dev/null || echo dev)
mkdir -p bin
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$version" -o bin/stratix ./cmd/stratix
echo "built bin/stratix ($version)"
