#!/usr/bin/env bash
# Measures the gateway with its own load generator and prints the figures that
# ARCHITECTURE.md sets goals for. Each scenario meets a gateway that has just
# started, with a copy of scripts/routes, on a loopback port; each figure is the
# median of the repetitions, with the lowest and the highest.
#
#   bash scripts/bench.sh              about 6 minutes, on a machine that does nothing else
#   bash scripts/bench.sh --quick      about 2 minutes, one repetition
#
# BENCH_PORT chooses the port (18080), BENCH_RUNS and BENCH_SECONDS the
# repetitions and their length. BENCH_SCENARIOS="pairs open" runs only those.
# The lines of JSON behind the table are kept in BENCH_RESULTS, if that is set.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=3 seconds=5 warmup=1
case "${1:-}" in
  "") ;;
  --quick) runs=1 seconds=2 warmup=0.5 ;;
  *) echo "usage: bench.sh [--quick]" >&2; exit 2 ;;
esac
runs=${BENCH_RUNS:-$runs} seconds=${BENCH_SECONDS:-$seconds} port=${BENCH_PORT:-18080}
scenarios=${BENCH_SCENARIOS:-idle pairs echo open fanout connect churn reload}

bash scripts/build.sh
ulimit -n "$(ulimit -Hn)"
work=$(mktemp -d)
gateway=
stop() {
  [ -n "$gateway" ] || return 0
  kill "$gateway" 2>/dev/null || true
  wait "$gateway" 2>/dev/null || true
  gateway=
}
trap 'stop; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

start() {
  rm -rf "$work/routes"
  cp -R scripts/routes "$work/routes"
  bin/stratix serve --listen "127.0.0.1:$port" --admin off --scripts "$work/routes" \
    --data "$work/data" --summary 0 --drain-timeout 2s >"$work/log" 2>&1 &
  gateway=$!
  for _ in $(seq 100); do
    if curl -fs -o /dev/null "http://127.0.0.1:$port/readyz"; then return; fi
    kill -0 "$gateway" 2>/dev/null || break
    sleep 0.1
  done
  echo "bench.sh: the gateway did not start:" >&2
  cat "$work/log" >&2
  exit 1
}

results=${BENCH_RESULTS:-$work/results}
: >"$results"
failed=0
for run in $(seq "$runs"); do
  for scenario in $scenarios; do
    echo "run $run of $runs: $scenario" >&2
    start
    bin/stratix bench --scenario "$scenario" --url "ws://127.0.0.1:$port/ws" --pid "$gateway" \
      --scripts "$work/routes" --seconds "$seconds" --warmup "$warmup" --json >>"$results" || failed=1
    stop
  done
done

awk -v runs="$runs" -v seconds="$seconds" '
  function text(key) { return match($0, "\"" key "\":\"[^\"]*\"") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5) : "" }
  function number(key) { return match($0, "\"" key "\":[-+.0-9e]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : 0 }
  function note(name, goal, format, value,    i) {
    if (!(name in count)) { order[++names] = name; goals[name] = goal; formats[name] = format }
    for (i = count[name]++; i > 0 && values[name, i] > value; i--) values[name, i + 1] = values[name, i]
    values[name, i + 1] = value
  }
  /^{"machine"/ { machine = number("cores") " x " text("cpu") ", Linux " text("kernel") ", " text("go"); next }
  { scenario = text("scenario"); window = number("window"); rate = number("rate") }
  scenario == "idle" { note("idle: memory, B/connection", "<= 512", "%.0f", number("bytes_per_connection")) }
  scenario == "pairs" || scenario == "echo" || scenario == "fanout" {
    goal = per = ""
    if (scenario == "pairs" && window == 8) { goal = ">= 160000"; per = ">= 100000" }
    if (scenario == "fanout" && window == 16) goal = ">= 700000"
    name = scenario ", " window " in flight: "
    note(name "deliveries/s", per, "%.0f", number("delivered_per_s"))
    note(name "per CPU second", goal, "%.0f", number("per_cpu_s"))
  }
  scenario == "open" {
    name = "open loop, " rate "/s: "
    note(name "deliveries/s", "", "%.0f", number("delivered_per_s"))
    note(name "p50 ms", "", "%.2f", number("p50_ms"))
    note(name "p99 ms", rate <= 20000 ? "<= 1" : "<= 5", "%.2f", number("p99_ms"))
    note(name "p99.9 ms", "", "%.2f", number("p999_ms"))
  }
  scenario == "connect" || scenario == "churn" {
    note(scenario ": handshakes/s", "", "%.0f", number("handshakes_per_s"))
    note(scenario ": CPU us each", "", "%.1f", number("cpu_us"))
  }
  scenario == "reload" {
    name = "reload, " number("connections") " conns: "
    note(name "save to live p50 ms", "", "%.1f", number("live_p50_ms"))
    note(name "slowest save ms", "<= 100", "%.1f", number("live_max_ms"))
    note(name "messages, p99 ms", "", "%.2f", number("p99_ms"))
    note(name "during saves, p99 ms", "", "%.2f", number("p99_saving_ms"))
  }
  text("faults") != "" { faults[++broken] = scenario ": " text("faults") }
  END {
    print machine "; load generator on the same cores"
    print "1,000 connections, 128-byte JSON, " runs " x " seconds " s; per CPU second: of the gateway"
    printf "\n%-42s%12s%12s%12s  %s\n", "", "median", "lowest", "highest", "goal"
    for (i = 1; i <= names; i++) {
      name = order[i]; n = count[name]; format = formats[name]
      median = n % 2 ? values[name, (n + 1) / 2] : (values[name, n / 2] + values[name, n / 2 + 1]) / 2
      printf "%-42s%12s%12s%12s  %s\n", name, sprintf(format, median), sprintf(format, values[name, 1]), sprintf(format, values[name, n]), goals[name]
    }
    for (i = 1; i <= broken; i++) print "FAULT " faults[i]
  }
' "$results"
exit "$failed"
