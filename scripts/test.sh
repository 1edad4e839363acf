#!/usr/bin/env bash
# Installs what the tests need, and runs all of them. Stops at the first section
# that fails.
#
#   --quick        without the race detector, the linter and the browser
#   --no-install   with what is there already; says what is skipped for it
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
export CI=true

linter=v2.15.0
scanner=v1.9.0

quick=false
install=true
for arg in "$@"; do
  case $arg in
    --quick) quick=true ;;
    --no-install) install=false ;;
    *)
      echo "test.sh: unknown argument $arg; there are --quick and --no-install" >&2
      exit 2
      ;;
  esac
done

section=none
began=0
skipped=()

# section begins a part of the run, and says how long the one before took.
section() {
  close
  section=$1
  began=$SECONDS
  echo "== $section"
}

close() {
  if [[ $section != none ]]; then echo "== $section: passed in $((SECONDS - began)) s"; fi
  section=none
}

# skip notes a section that is left out, and why.
skip() {
  close
  skipped+=("$1")
  echo "SKIPPED: $1"
}

finish() {
  local status=$?
  if ((status != 0)); then
    echo "test.sh: FAILED in the section '$section', after $SECONDS s" >&2
  fi
}
trap finish EXIT

has() { command -v "$1" >/dev/null; }

# system installs Debian packages as far as it may; what needs them looks
# whether they are there.
system() {
  local -a apt=(apt-get)
  if ! has apt-get; then
    echo "this system has no apt-get; install by other means: $*"
    return
  fi
  if ((EUID != 0)); then
    if ! { has sudo && sudo -n true 2>/dev/null; }; then
      echo "not root, and sudo wants a password; as root run: apt-get install $*"
      return
    fi
    apt=(sudo -n apt-get)
  fi
  apt+=(-o DPkg::Lock::Timeout=120 -y -q --no-install-recommends)
  local log
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  if ! "${apt[@]}" install "$@" >"$log" 2>&1; then
    # The lists of a fresh machine are empty, and old ones name what is gone.
    if ! { "${apt[@]}" update && "${apt[@]}" install "$@"; } >"$log" 2>&1; then
      tail -n 5 "$log"
      echo "apt-get could not install: $*"
    fi
  fi
  rm -f "$log"
}

section "tools"
for tool in go node npm; do
  if ! has "$tool"; then
    echo "test.sh: $tool is not installed; the tests need Go 1.26 or newer, and Node 20 or newer with npm" >&2
    exit 1
  fi
done
go version
echo "node $(node --version)"
if (($(node -p 'process.versions.node.split(".")[0]') < 20)); then
  echo "test.sh: the tests need Node 20 or newer" >&2
  exit 1
fi

chromium=${CHROMIUM:-/usr/bin/chromium}
if $install; then
  packages=()
  if ! $quick && [[ ! -x $chromium ]]; then packages+=(chromium); fi
  if ! $quick && ! has nginx; then packages+=(nginx-light); fi
  if ! $quick && ! has gcc; then packages+=(gcc libc6-dev); fi
  if ! has shellcheck; then packages+=(shellcheck); fi
  if ! has luacheck; then packages+=(lua-check); fi # two Go tests use it
  if ((${#packages[@]} > 0)); then
    echo "installing ${packages[*]}"
    system "${packages[@]}"
  fi
  for folder in scripts/e2e examples/electron; do
    (cd "$folder" && npm ci --no-audit --no-fund)
  done
fi

lint=
if ! $quick; then
  mkdir -p bin/tools
  for candidate in "$(command -v golangci-lint || true)" "$(go env GOPATH)/bin/golangci-lint" bin/tools/golangci-lint; do
    if [[ -x $candidate && $("$candidate" version 2>&1) == *"version ${linter#v} "* ]]; then
      lint=$candidate
      break
    fi
  done
  if [[ -z $lint ]] && $install; then
    echo "building golangci-lint $linter"
    GOBIN=$PWD/bin/tools GOFLAGS='' go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$linter"
    lint=bin/tools/golangci-lint
  fi
fi

mkdir -p bin/tools
scan=bin/tools/govulncheck
if [[ $("$scan" -version 2>/dev/null) != *"@$scanner"* ]]; then
  scan=
  if $install; then
    echo "building govulncheck $scanner"
    GOBIN=$PWD/bin/tools GOFLAGS='' go install "golang.org/x/vuln/cmd/govulncheck@$scanner"
    scan=bin/tools/govulncheck
  fi
fi

section "modules are complete and unchanged"
go mod verify
go mod tidy -diff

section "build"
bash scripts/build.sh

section "format, vet, other platforms"
unformatted=$(gofmt -l cmd core examples lua plugins)
if [[ -n $unformatted ]]; then
  echo "gofmt would change: $unformatted" >&2
  exit 1
fi
for os in linux darwin windows; do
  echo "go vet for $os"
  GOOS=$os go vet ./...
done
for os in darwin windows; do
  echo "go build for $os"
  CGO_ENABLED=0 GOOS=$os go build -o "bin/$os/" ./cmd/stratix
done

# vulnerabilities prints where the database of known ones is: its own server, or
# where that cannot be reached the same files from the module proxy, or from an
# earlier run.
vulnerabilities() {
  local server=https://vuln.go.dev folder=
  if has curl && curl -fsI --max-time 10 -o /dev/null "$server/index/db.json.gz"; then
    echo "$server"
    return
  fi
  if $install; then
    folder=$(cd / && GOFLAGS='' go mod download -json golang.org/x/vulndb@latest 2>/dev/null | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
  fi
  if [[ -z $folder ]]; then
    folder=$(find "$(go env GOMODCACHE)/golang.org/x" -maxdepth 1 -name 'vulndb@*' 2>/dev/null | sort | tail -n 1)
  fi
  if [[ -n $folder ]]; then echo "file://$folder/data/osv"; fi
}

# called scans as if with the Go $1, prints those that our code can reach, and
# fails if there are any.
called() {
  local status=0 found
  found=$(GOVERSION=$1 "$scan" -db "$database" ./... 2>&1) || status=$?
  if ((status == 3)); then
    grep -A 1 -E '^Vulnerability|Found in:' <<<"$found" | grep -vE '^--|Example traces' >&2
  elif ((status != 0)); then
    echo "$found" >&2
  fi
  return "$status"
}

database=
if [[ -n $scan ]]; then database=$(vulnerabilities); fi
if [[ -z $scan ]]; then
  skip "known vulnerabilities: govulncheck $scanner is not there, and --no-install"
elif [[ -z $database ]]; then
  skip "known vulnerabilities: neither vuln.go.dev nor golang.org/x/vulndb can be reached"
else
  section "known vulnerabilities"
  echo "database: $database"
  go=$(go env GOVERSION)
  named=$(sed -n 's/^toolchain //p' go.mod) # as GOTOOLCHAIN=auto takes it
  newest=$(printf '%s\n' "$named" "$go" | sort -V | tail -n 1)
  called "$newest"
  if [[ $newest != "$go" ]] && ! called "$go"; then
    skip "known vulnerabilities of $go itself, listed above: build with $named, which has none of them (GOTOOLCHAIN=auto does)"
  fi
fi

if has shellcheck; then
  section "shell scripts"
  shellcheck scripts/*.sh .ci/run
else
  skip "shellcheck: apt-get install shellcheck"
fi

if $quick; then
  skip "the linter: --quick"
elif [[ -z $lint ]]; then
  skip "the linter: golangci-lint $linter is not there, and --no-install"
else
  section "linter"
  "$lint" run --allow-parallel-runners
fi

section "Go tests"
go test -timeout 10m ./...

if $quick; then
  skip "the race detector: --quick"
elif ! has gcc; then
  skip "the race detector: it needs a C compiler; apt-get install gcc libc6-dev"
else
  section "Go tests with the race detector"
  CGO_ENABLED=1 go test -race -timeout 15m ./...
fi

if [[ ! -d scripts/e2e/node_modules ]]; then
  skip "the tests with other clients: scripts/e2e/node_modules is not there, and --no-install"
else
  tests=()
  for file in scripts/e2e/*.test.js; do
    if $quick && [[ $file == */browser.test.js || $file == */console*.test.js ]]; then continue; fi
    tests+=("$file")
  done
  if $quick; then
    skip "the browser: --quick"
  elif [[ ! -x $chromium ]]; then
    skip "the browser: there is no $chromium; apt-get install chromium"
  fi
  section "the binary with other clients"
  node --test --test-timeout=120000 --test-reporter=spec "${tests[@]}"
fi

electron=examples/electron
if [[ ! -d $electron/node_modules ]]; then
  skip "the TypeScript client: $electron/node_modules is not there, and --no-install"
else
  tests=()
  for file in "$electron"/test/*.test.js; do
    if $quick && [[ $file == */browser.test.js || $file == */app.test.js ]]; then continue; fi
    tests+=("$file")
  done
  display=(env)
  if $quick; then
    skip "the TypeScript client and its app in a browser: --quick"
  elif [[ -z ${ELECTRON:-} && ! -d $electron/node_modules/electron/dist ]]; then
    skip "the app in the real Electron: its binary is not there; npx install-electron in $electron, which downloads it"
  elif [[ -n ${DISPLAY:-} ]]; then
    :
  elif has xvfb-run; then
    display=(xvfb-run -a)
  else
    skip "the app in the real Electron: there is no display; apt-get install xvfb"
  fi
  section "the TypeScript client and its Electron app"
  npm run --silent --prefix "$electron" build
  "${display[@]}" node --test --test-timeout=120000 --test-reporter=spec "${tests[@]}"
fi

close
echo
what=everything
if ((${#skipped[@]} > 0)); then
  printf 'SKIPPED: %s\n' "${skipped[@]}"
  what='everything else'
fi
echo "test.sh: $what passed, in $SECONDS s"
