package ratelimit

import (
	"testing"

	"github.com/stratix-gateway/stratix/core/coretest"
)

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	f := func(v values, want string) {
		t.Helper()
		if got := coretest.Refusal(t, "ratelimit", v, nil).Error(); got != "main.lua:1: stage.ratelimit: "+want {
			t.Errorf("%v:\n got %s\nwant %s", v, got, want)
		}
	}
	with := func(key string, v any, more ...any) values {
		all := values{"rate": 1.0, key: v}
		for i := 0; i < len(more); i += 2 {
			all[more[i].(string)] = more[i+1]
		}
		return all
	}
	f(values{}, "neither rate nor connect_rate is given: try rate = 100, burst = 200")
	f(values{"burst": 5.0}, "burst: works with rate only")
	f(values{"connect_burst": 5.0, "rate": 1.0}, "connect_burst: works with connect_rate only")
	f(values{"connect_rate": 1.0, "per": "client"}, "per: works with rate only")
	f(values{"connect_rate": 1.0, "over": "delay"}, "over: works with rate only")
	f(values{"rate": 0.0}, "rate: expected 0.001 to 100000 a second, got 0")
	f(values{"rate": 1e6}, "rate: expected 0.001 to 100000 a second, got 1e+06")
	f(values{"connect_rate": -1.0}, "connect_rate: expected 0.001 to 100000 a second, got -1")
	f(with("burst", 0.0), "burst: expected 1 to 1000000, got 0")
	f(with("burst", 2e6), "burst: expected 1 to 1000000, got 2000000")
	f(with("burst", 1.5), "burst: expected a whole number, got the number 1.5")
	f(with("over", "delya"), `over: expected "reject", "delay" or "disconnect", got "delya"; did you mean "delay"?`)
	f(with("per", "ip"), `per: expected "client", "address", "prefix" or "key", got "ip"`)
	f(with("max_delay", "1s"), `max_delay: works with over = "delay" only, and over is "reject"`)
	f(with("max_delayed", 5.0), `max_delayed: works with over = "delay" only, and over is "reject"`)
	f(with("max_delay", "31s", "over", "delay"), "max_delay: expected 1ms to 30s, got 31s")
	f(with("max_delay", "0s", "over", "delay"), "max_delay: expected 1ms to 30s, got 0s")
	f(with("max_delayed", 0.0, "over", "delay"), "max_delayed: expected at least 1, got 0")
	f(with("max_delayed_bytes", 0.0, "over", "delay"), "max_delayed_bytes: expected at least 1B, got 0B")
	f(with("max_buckets", 999.0), "max_buckets: expected 1000 to 1000000, got 999")
	f(with("name", "a\n"), "name: holds characters that are not printable")
	f(with("prefix", "desk-"), `prefix: works with per = "prefix" only, and per is "client"`)
	f(with("prefix_length", 5.0), `prefix_length: works with per = "prefix" only, and per is "client"`)
	f(with("key", "data.room"), `key: works with per = "key" only, and per is "client"`)
	f(with("per", "prefix"), `per = "prefix" needs either prefix or prefix_length: try prefix = "desk-"`)
	f(with("per", "prefix", "prefix", "a", "prefix_length", 1.0), `per = "prefix" needs either prefix or prefix_length: try prefix = "desk-"`)
	f(with("per", "prefix", "prefix", 5.0), "prefix: expected a string or a list of strings")
	f(with("per", "prefix", "prefix", []any{"a", 5.0}), "prefix: expected a string or a list of strings")
	f(with("per", "prefix", "prefix", []any{}), "prefix: expected 1 to 100 prefixes, got 0")
	f(with("per", "prefix", "prefix", ""), `prefix: the prefix "" is empty`)
	f(with("per", "prefix", "prefix_length", 0.0), "prefix_length: expected 1 to 128 bytes, got 0")
	f(with("per", "key", "key", ""), `key: expected a path into data, headers or to such as "data.room", got ""`)
	f(with("per", "key", "key", "from"), `key: expected a path into data, headers or to such as "data.room", got "from"`)
	f(with("per", "key", "key", "data..x"), `key: the path "data..x" has an empty key`)
	f(with("per", "key", "key", "data.x*"), `key: the path "data.x*": '*' cannot stand in it; a path is keys joined by dots, arrays are counted from 0; a script can say msg:limit_key(value) instead`)
	f(with("brust", 5.0), `unknown key "brust"; did you mean "burst"?`)
}
