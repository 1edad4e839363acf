package load

import (
	"bytes"
	"net"
	"strings"
	"testing"
)

// underAttack is what one attack on g comes to.
func underAttack(t *testing.T, g *gateway, a attack) (Result, error) {
	t.Helper()
	r := brief(g, Attack)
	r.Seconds, r.Warmup = 0.5, 0.1
	r.attacks = func(target) []attack { return []attack{a} }
	err := r.all(t.Context())
	if len(r.report.Results) != 1 {
		t.Fatal(err)
	}
	return r.report.Results[0], err
}

func TestAnAttackIsMeasuredBesideItsVictims(t *testing.T) {
	f := func(a attack, want func(*Assault) bool) {
		t.Helper()
		got, err := underAttack(t, (&gateway{}).serve(t), a)
		o := got.Assault
		if err != nil || got.Latency == nil || got.Delivered == 0 || o.Name != a.name || o.Peak <= 0 || o.Before <= 0 || o.Newcomers.Count == 0 {
			t.Errorf("%s: %v, %+v, %+v", a.name, err, got, o)
		}
		if !want(o) {
			t.Errorf("%s: %+v", a.name, o)
		}
	}
	upgrade := string(mustTarget(t, "ws://127.0.0.1:1/ws").appendUpgrade(nil, "stranger-"+number, false))
	f(attack{name: "none"}, func(o *Assault) bool { return o.Opened == 0 && o.Held == 0 })
	f(attack{name: "held", conns: 20, rate: 1000}, func(o *Assault) bool { return o.Opened == 20 && o.Held == 20 && o.Ended == 0 })
	f(attack{name: "dripped", conns: 20, rate: 1000, text: "GET /ws?clientId=a HTTP/1.1\r\nX:", drip: "x"},
		func(o *Assault) bool { return o.Opened == 20 && o.Held == 20 && o.Ended == 0 })
	f(attack{name: "ended", conns: 20, rate: 1000, text: "nonsense\r\n\r\n"}, func(o *Assault) bool { return o.Ended > 20 && o.Answers == nil })
	f(attack{name: "answered", conns: 20, rate: 1000, text: upgrade}, func(o *Assault) bool { return o.Answers["1xx"] > 20 && o.Ended == 0 })
}

func TestClientsThatAnAttackLocksOutAreAFault(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := silent.Addr().String()
	_ = silent.Close()
	n := newNewcomers(mustTarget(t, "ws://"+address+"/ws"), "x")
	if err := n.come("x"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	refusing := (&gateway{refuse: true}).serve(t)
	n = newNewcomers(mustTarget(t, refusing.url), "x")
	if err := n.come("x"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the gateway refuses: %v", err)
	}
	result := Result{Scenario: Attack, Assault: &Assault{Name: "x", Newcomers: Newcomers{Failed: 3, Why: "because"}}}
	if faults := strings.Join(result.faults(0), ", "); faults != "newcomers not let in within 2s: 3" {
		t.Errorf("the faults are %q", faults)
	}
}

func mustTarget(t *testing.T, url string) target {
	t.Helper()
	got, err := parseTarget(url)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Every attack is a request, or the beginning of one, that names its connection
// if it must.
func TestAttacksAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range attacks(mustTarget(t, "ws://127.0.0.1:8080/ws")) {
		if seen[a.name] || a.conns > 0 && a.rate <= 0 || a.conns+200+100 > MaxConnections {
			t.Errorf("%+v", a)
		}
		seen[a.name] = true
		one, two := a.numbered(1), a.numbered(2)
		if strings.Contains(one, number) || strings.Contains(a.text, number) && one == two {
			t.Errorf("%s: %.200q", a.name, one)
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d attacks", len(seen))
	}
}

func TestAnAttackIsPrintedAsARow(t *testing.T) {
	var out bytes.Buffer
	p := printer{out: &out}
	r := Result{Scenario: Attack, Connections: 200, Rate: 2000, Latency: &Latency{P99: 1.5},
		Assault: &Assault{Name: "half-open", Opened: 5, Answers: map[string]uint64{"4xx": 3, "5xx": 1}, Newcomers: Newcomers{Count: 7}}}
	if err := p.heading(Attack); err != nil {
		t.Fatal(err)
	}
	if err := p.row(&r); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(strings.Fields(lines[1])) != len(strings.Fields(strings.NewReplacer("p50 ms", "p50", "p99 ms", "p99", "max ms", "max", "RSS MiB", "RSS").Replace(lines[0])))+1 ||
		!strings.Contains(lines[1], " 4 ") {
		t.Errorf("%q", lines)
	}
}
