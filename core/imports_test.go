package core_test

import (
	"go/parser"
	"go/token"
	"path"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/stratix-gateway/stratix/"

// thirdParty stands for all imports that are neither of the standard library
// nor of this module.
const thirdParty = "third party"

// rule says who may not import whom. Packages of this module are written as in
// the go command: ./core is one, ./core/... it and all below it.
type rule struct {
	from    string
	except  []string // packages that the rule does not bind
	never   []string
	because string
}

// rules bind what ships; tests may import what they like.
var rules = []rule{
	{
		from:    "./core",
		never:   []string{"./...", thirdParty},
		because: "core is the words of the domain: what it imports, every package depends on",
	},
	{
		from:    "./core/...",
		never:   []string{"./plugins/...", "./lua/...", "./cmd/..."},
		because: "imports go one way, core <- plugins and lua <- cmd: the core runs any stage and any engine",
	},
	{
		from:    "./plugins/...",
		except:  []string{"./plugins/all"},
		never:   []string{"./plugins/..."},
		because: "a plugin is a folder that can be added or deleted alone; plugins meet only in the pipeline",
	},
	{
		from:    "./plugins/...",
		never:   []string{"./core/shard/...", "./core/gateway/...", "./core/server/...", "./core/reload/...", "./lua/...", "./cmd/..."},
		because: "a plugin sees messages and not what carries them: it is the same in a check, a test and a gateway",
	},
	{
		from:    "./lua/...",
		never:   []string{"./plugins/...", "./core/shard/...", "./core/gateway/...", "./core/server/...", "./core/reload/...", "./cmd/..."},
		because: "the engine finds stages by name in core, and knows neither sockets nor where scripts come from",
	},
	{
		from:    "./...",
		except:  []string{"./lua/..."},
		never:   []string{"github.com/yuin/gopher-lua/..."},
		because: "another engine is a change to one folder, and no value of a VM leaves its shard",
	},
	{
		from:    "./...",
		except:  []string{"./core/server/...", "./core/load/...", "./core/torture/..."}, // the last two are clients
		never:   []string{"github.com/valyala/fasthttp/...", "github.com/fasthttp/websocket/...", "github.com/fasthttp/router/..."},
		because: "HTTP ends at the upgrade: fasthttp pools what it hands out, and the server alone knows its rules",
	},
	{
		from:    "./...",
		except:  []string{"./core/token", "./core/coretest"},
		never:   []string{"github.com/golang-jwt/jwt/...", "github.com/go-jose/go-jose/..."},
		because: "whether a token is good is decided in one place, by the same rules for clients and for the API",
	},
	{
		from:    "./core/frame/...",
		never:   []string{"net", "net/http/...", "os/...", "syscall", "golang.org/x/sys/..."},
		because: "frames are functions on bytes, without I/O: so they can be fuzzed, split anywhere",
	},
	{
		from:    "./core/apikey/...",
		never:   []string{"./core/server/...", "./core/shard/...", "./core/gateway/...", thirdParty, "net/..."},
		because: "who may use the API is decided by a file and a text: so it can be fuzzed, and a command can change it",
	},
	{
		from:    "./core/token/...",
		never:   []string{"./core/server/...", "./core/shard/...", "./core/gateway/...", "./core/reload/...", "./core/apikey/..."},
		because: "a token is checked with a text, keys and a time; what it is good for is said by who asks",
	},
	{
		from:    "./core/apitoken/...",
		never:   []string{"./core/server/...", "./core/shard/...", "./core/gateway/...", "./core/reload/..."},
		because: "who may use the API depends on the flags alone: nothing that clients or scripts do opens it",
	},
	{
		from:    "./core/arena/...",
		never:   []string{"./..."},
		because: "memory knows nothing of what is in it",
	},
	{
		from:    "./core/kv/...",
		never:   []string{"./...", thirdParty, "net/...", "os/...", "syscall"},
		because: "the values that scripts share are plain data in memory: a shard waits for nothing but a lock there",
	},
	{
		from:    "./core/words/...",
		never:   []string{"./...", thirdParty, "net/...", "os/...", "syscall"},
		because: "finding words is a function of a text, without I/O: so it can be fuzzed",
	},
	{
		from:    "./core/metric/...",
		never:   []string{"./...", thirdParty},
		because: "what scripts count is told to no client library: a scrape asks for it",
	},
	{
		from:    "./core/upstream/...",
		never:   []string{"./core/shard/...", "./core/gateway/...", "./core/server/...", "./core/reload/...", "./core/wire/...", thirdParty},
		because: "an upstream posts bytes and gives them back; it does so with net/http, whose dialer shows each address before it is dialled and whose requests can be broken off",
	},
	{
		from:    "./core/shard/...",
		never:   []string{"./core/upstream/...", "net/http/..."},
		because: "a shard leaves posts in a queue and never waits for what is behind it",
	},
	{
		from:    "./...",
		except:  []string{"./core/profile"},
		never:   []string{"github.com/google/pprof/..."},
		because: "samples become a file for a tool when they are reported, and never where they are taken",
	},
	{
		from:    "./core/record/...",
		never:   []string{"net", "net/http/...", "os/...", "syscall", "golang.org/x/sys/..."},
		because: "records are functions on bytes, without I/O: so they can be fuzzed",
	},
	{
		from:    "./core/trace/...",
		never:   []string{"net", "net/http/...", "os/...", "syscall", "golang.org/x/sys/...", "./core/shard/...", "./core/gateway/...", "./core/server/..."},
		because: "traces are functions on bytes, without I/O: shards write them, and commands read their JSON",
	},
	{
		from:    "./core/wire/...",
		never:   []string{"net", "net/http/...", "os/...", "syscall", "golang.org/x/sys/..."},
		because: "envelopes are functions on bytes, without I/O: so they can be fuzzed",
	},
	{
		from:    "./core/rehearse/...",
		never:   []string{"./core/shard/...", "./core/gateway/...", "./core/server/...", "./core/reload/...", "./core/journal/...", "net", "net/http/...", "os/...", "syscall", "golang.org/x/sys/..."},
		because: "a rehearsal touches nothing: what it decides depends on the script and the messages alone",
	},
	{
		from:    "./core/ruling/...",
		never:   []string{"./core/shard/...", "./core/rehearse/...", "net", "net/http/...", "os/...", "syscall", "golang.org/x/sys/..."},
		because: "shards and rehearsals rule alike by one function of what they have in hand",
	},
	{
		from:    "./core/journal/...",
		never:   []string{"./core/record/...", "./core/wire/...", "./core/frame/...", "./core/arena/...", "./core/shard/...", "./core/gateway/...", "./core/server/...", "./core/reload/...", "./core/load/..."},
		because: "the log holds opaque records: it is tested with any bytes, and what they mean may change without it",
	},
	{
		from:    "./...",
		except:  []string{"./core/coretest"},
		never:   []string{"testing/...", "./core/coretest"},
		because: "the gateway does not carry the test framework and its flags",
	},
}

// breaks returns the reason why the package may not import the other, or "".
// Both are written as in a rule.
func breaks(pkg, imported string) string {
	for _, r := range rules {
		if matches(pkg, r.from) && !matchesAny(pkg, r.except) && matchesAny(imported, r.never) && !samePlugin(pkg, imported) {
			return r.because
		}
	}
	return ""
}

func matches(name, pattern string) bool {
	if pattern == thirdParty {
		host, _, _ := strings.Cut(name, "/")
		return host != "." && strings.Contains(host, ".")
	}
	root, tree := strings.CutSuffix(pattern, "/...")
	return name == root || tree && strings.HasPrefix(name, root+"/")
}

func matchesAny(name string, patterns []string) bool {
	for _, p := range patterns {
		if matches(name, p) {
			return true
		}
	}
	return false
}

// samePlugin reports whether both packages are of one plugin, which may have
// folders of its own.
func samePlugin(a, b string) bool {
	a, inPlugins := strings.CutPrefix(a, "./plugins/")
	b, both := strings.CutPrefix(b, "./plugins/")
	a, _, _ = strings.Cut(a, "/")
	b, _, _ = strings.Cut(b, "/")
	return inPlugins && both && a == b
}

func TestImportsKeepTheRules(t *testing.T) {
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		pkg := "./" + path.Dir(file)
		for _, i := range parsed.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if own, ok := strings.CutPrefix(imported, module); ok {
				imported = "./" + own
			}
			if because := breaks(pkg, imported); because != "" {
				t.Errorf("%s imports %s, but %s", file, imported, because)
			}
		}
	}
}

func TestTheRulesSayWhatTheyMean(t *testing.T) {
	f := func(pkg, imported string, want bool) {
		t.Helper()
		if got := breaks(pkg, imported) == ""; got != want {
			t.Errorf("may %s import %s: got %v, want %v", pkg, imported, got, want)
		}
	}
	const allowed, refused = true, false

	f("./core", "strings", allowed)
	f("./core", "log/slog", allowed)
	f("./core", "golang.org/x/sys/unix", refused)
	f("./core", "github.com/tidwall/gjson", refused)
	f("./core", "./core/shard", refused)

	f("./core/profile", "github.com/google/pprof/profile", allowed)
	f("./core/shard", "github.com/google/pprof/profile", refused)
	f("./lua", "github.com/google/pprof/profile", refused)
	f("./core/arena", "./core", refused)
	f("./core/apikey", "./core/server", refused)
	f("./core/apikey", "crypto/sha256", allowed)
	f("./core/token", "github.com/golang-jwt/jwt/v5", allowed)
	f("./core/token", "./core/apikey", refused)
	f("./core/apitoken", "./core/token", allowed)
	f("./core/apitoken", "./lua", refused)
	f("./core/apitoken", "github.com/golang-jwt/jwt/v5", refused)
	f("./plugins/jwt", "github.com/golang-jwt/jwt/v5", refused)
	f("./plugins/jwt", "./core/token", allowed)
	f("./core/shard", "github.com/fasthttp/router", refused)
	f("./core/kv", "sync", allowed)
	f("./core/kv", "./core", refused)
	f("./core/words", "unicode", allowed)
	f("./core/words", "github.com/tidwall/gjson", refused)
	f("./core/metric", "./core/gateway", refused)
	f("./core/upstream", "net/http", allowed)
	f("./core/upstream", "./core", allowed)
	f("./core/upstream", "./core/shard", refused)
	f("./core/upstream", "github.com/valyala/fasthttp", refused)
	f("./core/shard", "./core/upstream", refused)
	f("./core/shard", "net/http", refused)
	f("./lua", "./core/upstream", allowed)
	f("./core/record", "os", refused)
	f("./core/record", "./core", allowed)
	f("./core/gateway", "./core/shard", allowed)
	f("./core/gateway", "github.com/tidwall/gjson", allowed)
	f("./core/gateway", "./plugins/all", refused)
	f("./core/gateway", "./lua", refused)
	f("./core/gateway", "./cmd/stratix", refused)

	f("./plugins/all", "./plugins/disk", allowed)
	f("./plugins/all", "./core/shard", refused)
	f("./plugins/disk", "./core", allowed)
	f("./plugins/disk", "./plugins/disk/segment", allowed)
	f("./plugins/disk", "./plugins/ring", refused)
	f("./plugins/disk", "./plugins/diskless", refused)
	f("./plugins/disk", "./core/shard", refused)
	f("./plugins/disk", "./core/gateway", refused)
	f("./plugins/disk", "./core/server", refused)
	f("./plugins/disk", "./lua", refused)
	f("./plugins/disk", "os", allowed)

	f("./lua", "github.com/yuin/gopher-lua", allowed)
	f("./lua", "github.com/yuin/gopher-lua/parse", allowed)
	f("./lua/stdlib", "github.com/yuin/gopher-lua", allowed)
	f("./core/shard", "github.com/yuin/gopher-lua", refused)
	f("./cmd/stratix", "github.com/yuin/gopher-lua/ast", refused)
	f("./lua", "./core/wire", allowed)
	f("./lua", "./plugins/prefix", refused)
	f("./lua", "./core/shard", refused)
	f("./lua", "./core/server", refused)
	f("./lua", "./core/gateway", refused)
	f("./lua", "./core/reload", refused)

	f("./core/server", "github.com/valyala/fasthttp", allowed)
	f("./core/server", "github.com/fasthttp/websocket", allowed)
	f("./core/load", "github.com/fasthttp/websocket", allowed)
	f("./core/torture", "github.com/fasthttp/websocket", allowed)
	f("./core/shard", "github.com/fasthttp/websocket", refused)
	f("./cmd/stratix", "github.com/valyala/fasthttp/reuseport", refused)

	for _, pkg := range []string{"./core/frame", "./core/wire"} {
		f(pkg, "io", allowed)
		f(pkg, "net/netip", allowed)
		f(pkg, "github.com/klauspost/compress/flate", allowed)
		f(pkg, "net", refused)
		f(pkg, "net/http", refused)
		f(pkg, "os", refused)
		f(pkg, "os/exec", refused)
		f(pkg, "syscall", refused)
		f(pkg, "golang.org/x/sys/unix", refused)
	}

	f("./core/trace", "./core/wire", allowed)
	f("./core/trace", "./core/shard", refused)
	f("./core/trace", "os", refused)

	f("./core/journal", "./core", allowed)
	f("./core/journal/faults", "./core/journal", allowed)
	f("./core/journal", "./core/record", refused)
	f("./core/journal/faults", "./core/shard", refused)

	f("./core/rehearse", "./core/record", allowed)
	f("./core/rehearse", "net/netip", allowed)
	f("./core/rehearse", "./core/shard", refused)
	f("./core/rehearse", "os", refused)
	f("./core/ruling", "./core/wire", allowed)
	f("./core/ruling", "./core/shard", refused)
	f("./core/shard", "./core/ruling", allowed)
	f("./lua", "./core/rehearse", allowed)

	f("./core/coretest", "testing", allowed)
	f("./core/shard", "testing", refused)
	f("./plugins/prefix", "./core/coretest", refused)
	f("./cmd/stratix", "./core/gateway", allowed)
	f("./cmd/stratix", "./plugins/all", allowed)
}
