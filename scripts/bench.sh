#!/usr/bin/env bash
# Measures the gateway with its own load generator and prints the figures that
# ARCHITECTURE.md sets goals for. Each scenario meets a gateway that has just
# started, with a copy of scripts/routes and an empty data folder, on a loopback
# port; each figure is the median of the repetitions, with the lowest and the
# highest. The copies are:
#
#   full       as shipped
#   ring       without stage.disk
#   neither    without stage.disk and stage.ring
#
# "durable" runs with all three, connect and churn (no messages) and pending with
# full, the others with full and neither.
#
#   bash scripts/bench.sh              about 16 minutes, on a machine that does nothing else
#   bash scripts/bench.sh --quick      about 5 minutes, one repetition
#
# BENCH_PORT chooses the port (18080), BENCH_RUNS and BENCH_SECONDS the
# repetitions and their length. BENCH_SCENARIOS="pairs open" runs only those;
# attack is 200 clients with 2,000 messages a second beside each attack in turn.
# BENCH_MESSAGES is how many messages are left pending (1,000,000).
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
scenarios=${BENCH_SCENARIOS:-idle pairs echo open fanout connect churn reload durable pending attack}
messages=${BENCH_MESSAGES:-1000000}

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

# routes COPY makes the scripts folder of that name.
routes() {
  rm -rf "$work/routes"
  cp -R scripts/routes "$work/routes"
  rm "$work/routes/main_test.lua" # it wants what is shipped
  local stage main=$work/routes/main.lua
  for stage in $(case $1 in ring) echo disk ;; neither) echo disk ring ;; esac); do
    if [ "$(grep -c "^ *stage\.$stage {.*},\$" "$main")" != 1 ]; then
      echo "bench.sh: scripts/routes/main.lua has no line of its own for stage.$stage" >&2
      exit 1
    fi
    sed -i "/^ *stage\.$stage {.*},\$/d" "$main"
  done
}

# serve starts a gateway on what is in $work, and returns when it is ready.
serve() {
  bin/stratix serve --listen "127.0.0.1:$port" --admin off --scripts "$work/routes" \
    --data "$work/data" --gate load --summary 0 --drain-timeout 2s >"$work/log" 2>&1 &
  gateway=$!
  local deadline=$((SECONDS + 60))
  while [ "$SECONDS" -lt "$deadline" ]; do
    if curl -fs -o /dev/null "http://127.0.0.1:$port/readyz"; then return; fi
    kill -0 "$gateway" 2>/dev/null || break
    sleep 0.01
  done
  echo "bench.sh: the gateway did not start:" >&2
  cat "$work/log" >&2
  exit 1
}

# start COPY starts a gateway that knows nothing.
start() {
  routes "$1"
  rm -rf "$work/data"
  serve
}

# again kills the gateway and times how long a new one takes on the same data.
again() {
  kill -9 "$gateway"
  wait "$gateway" 2>/dev/null || true # its port and its lock are free then
  local began=$EPOCHREALTIME ended line
  serve
  ended=$EPOCHREALTIME
  line=$(grep -m 1 'msg=recovered' "$work/log" || true)
  echo "  after kill -9: ${line:-nothing was recovered}" >&2
  printf '{"copy":"full","scenario":"restart","ready_ms":%d,"recovered":%d,"sent":%d}\n' \
    $(((${ended/[.,]/} - ${began/[.,]/}) / 1000)) "$(sed -n 's/.* pending=\([0-9]*\) .*/\1/p' <<<"$line" | grep . || echo 0)" "$1" >>"$results"
}

results=${BENCH_RESULTS:-$work/results}
: >"$results"
failed=0
for run in $(seq "$runs"); do
  for scenario in $scenarios; do
    case $scenario in
      durable) copies="full ring neither" ;;
      connect | churn | pending) copies=full ;;
      *) copies="full neither" ;;
    esac
    for copy in $copies; do
      echo "run $run of $runs: $scenario, $copy" >&2
      start "$copy"
      bin/stratix bench --scenario "$scenario" --url "ws://127.0.0.1:$port/ws" --pid "$gateway" --messages "$messages" \
        --scripts "$work/routes" --seconds "$seconds" --warmup "$warmup" --json >"$work/lines" || failed=1
      sed "s/^{\"scenario\"/{\"copy\":\"$copy\",\"scenario\"/" "$work/lines" >>"$results"
      if [ "$scenario" = pending ]; then
        again "$(sed -n 's/.*"pending_messages":\([0-9]*\).*/\1/p' "$work/lines" | grep . || echo 0)"
      fi
      stop
    done
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
  # Each ratio is of runs that follow each other.
  function ratio(name, copy) {
    if (whole[copy] > 0) note("durable, " name ": messages/s", "", "%.2f", whole["full"] / whole[copy])
    if (cpu[copy] > 0) note("durable, " name ": per CPU second", "", "%.2f", cpu["full"] / cpu[copy])
  }
  /^{"machine"/ { machine = number("cores") " x " text("cpu") ", Linux " text("kernel") ", " text("go"); next }
  { copy = text("copy"); scenario = text("scenario"); window = number("window"); rate = number("rate") }
  scenario == "idle" { note("idle, " copy ": memory, B/connection", "<= 512", "%.0f", number("bytes_per_connection")) }
  scenario == "pairs" || scenario == "echo" || scenario == "fanout" {
    goal = per = ""
    if (scenario == "pairs" && window == 8) { goal = ">= 160000"; per = ">= 100000" }
    if (scenario == "fanout" && window == 16) goal = ">= 700000"
    name = scenario ", " copy ", " window " in flight: "
    note(name "deliveries/s", per, "%.0f", number("delivered_per_s"))
    note(name "per CPU second", goal, "%.0f", number("per_cpu_s"))
  }
  scenario == "open" {
    name = "open loop, " copy ", " rate "/s: "
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
    name = "reload, " copy ", " number("connections") " conns: "
    note(name "save to live p50 ms", "", "%.1f", number("live_p50_ms"))
    note(name "slowest save ms", "<= 100", "%.1f", number("live_max_ms"))
    note(name "messages, p99 ms", "", "%.2f", number("p99_ms"))
    note(name "during saves, p99 ms", "", "%.2f", number("p99_saving_ms"))
  }
  scenario == "durable" {
    name = "durable, " copy ": "
    if (copy == "full") note(name "told disk and received/s", ">= 100000", "%.0f", number("durable_per_s"))
    note(name "acked and received/s", "", "%.0f", whole[copy] = number("whole_per_s"))
    note(name "per CPU second", "", "%.0f", cpu[copy] = number("per_cpu_s"))
    if (number("records_per_commit")) {
      note(name "commits/s", "", "%.0f", number("commits_per_s"))
      note(name "records a commit", "", "%.0f", number("records_per_commit"))
      note(name "bytes a commit", "", "%.0f", number("bytes_per_commit"))
      note(name "commit, mean ms", "", "%.2f", number("commit_mean_ms"))
    }
    if (copy == "ring") ratio("full / ring", "ring")
    if (copy == "neither") ratio("full / neither", "neither")
  }
  scenario == "pending" {
    note("pending: RSS, MiB", "", "%.0f", number("rss") / 1048576)
    note("pending: payload, MiB", "", "%.0f", number("payload_bytes") / 1048576)
    note("pending: RSS / (1.3 payload + 64 MB)", "<= 1", "%.2f", number("rss_ratio"))
    note("pending: acks/s", "", "%.0f", number("acked_per_s"))
  }
  scenario == "restart" {
    note("pending: kill -9, exec to ready ms", "<= 2000", "%.0f", number("ready_ms"))
    note("pending: recovered messages", "", "%.0f", number("recovered"))
    if (number("recovered") != number("sent")) {
      faults[++broken] = "pending: " number("sent") " messages were acknowledged, " number("recovered") " recovered"
    }
  }
  scenario == "attack" {
    name = "attacked, " copy ", " text("attack") ": "
    note(name "messages, p99 ms", "<= 10", "%.2f", number("p99_ms"))
    note(name "newcomers, p99 ms", "", "%.2f", number("newcomers_p99_ms"))
    note(name "RSS at most, MiB", "", "%.0f", number("rss_peak") / 1048576)
    note(name "gateway CPU, cores", "", "%.2f", number("gateway_cpu"))
  }
  text("faults") != "" { faults[++broken] = scenario ", " copy ": " text("faults") }
  END {
    print machine "; load generator on the same cores"
    print "1,000 connections, 128-byte JSON (durable, pending: 200 bytes of data), " runs " x " seconds " s; per CPU second: of the gateway"
    printf "\n%-50s%12s%12s%12s  %s\n", "", "median", "lowest", "highest", "goal"
    for (i = 1; i <= names; i++) {
      name = order[i]; n = count[name]; format = formats[name]
      median = n % 2 ? values[name, (n + 1) / 2] : (values[name, n / 2] + values[name, n / 2 + 1]) / 2
      printf "%-50s%12s%12s%12s  %s\n", name, sprintf(format, median), sprintf(format, values[name, 1]), sprintf(format, values[name, n]), goals[name]
    }
    for (i = 1; i <= broken; i++) print "FAULT " faults[i]
    exit (broken > 0)
  }
' "$results" || failed=1
exit "$failed"
