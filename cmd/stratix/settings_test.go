package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/gateway"
)

var someNames = []string{"max-connections", "origins", "deflate", "listen"}

func TestSettingsAreLinesOfNameAndValue(t *testing.T) {
	f := func(text string, want ...settingLine) {
		t.Helper()
		got, err := parseSettings("s", text, someNames)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	f("")
	f("\n \t\n# listen = x\n  # y")
	f("max-connections = 3", settingLine{"max-connections", "3", 1})
	f("\xef\xbb\xbfmax-connections=3\r\n\r\n origins =  a, b \t# c\r\n", settingLine{"max-connections", "3", 1}, settingLine{"origins", "a, b", 3})
	f("listen = unix:/a=b#c", settingLine{"listen", "unix:/a=b#c", 1})
	f("origins =", settingLine{"origins", "", 1})
	f("origins = # none", settingLine{"origins", "", 1})
}

func TestWhatIsWrongWithSettingsIsSaidWithItsLine(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := parseSettings("s", text, someNames)
		for n := 1; strings.Contains(want, "s:N:"); n++ {
			want = strings.Replace(want, "s:N:", fmt.Sprintf("s:%d:", n), 1)
		}
		if fmt.Sprint(err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	f("\nmax_connections = 3", `s:2: unknown setting "max_connections"; did you mean "max-connections"?`)
	f("--deflate = no", `s:1: unknown setting "--deflate"; did you mean "deflate"?`)
	f("zzzzz = 1", `s:1: unknown setting "zzzzz"; stratix serve --help lists them`)
	f("= 1", `s:1: unknown setting ""; stratix serve --help lists them`)
	f("settings = x", "s:1: the file cannot say which file is read: that is --settings or STRATIX_SETTINGS")
	f("deflate", `s:1: "deflate" is no setting: write name = value`)
	f("deflate: yes", `s:1: "deflate" is no setting: write name = value`)
	f("STRATIX_MAX_CONNECTIONS = 3", `s:1: unknown setting "STRATIX_MAX_CONNECTIONS"; did you mean "max-connections"?`)
	f("export DEFLATE", `s:1: the line is no setting: write name = value`)
	f("deflate = no\n#\ndeflate = yes", "s:3: deflate is set in line 1 already: keep one of them")
	f("what\nlisten = x\never", "s:1: the line is no setting: write name = value\ns:3: the line is no setting: write name = value")
	f("listen = \"x\"\norigins = 'a', 'b'", "s:1: listen: write the value without quotes\ns:2: origins: write the value without quotes")
	f("deflate = no\rlisten = x", "s:1: there is a control character in the line; lines end with LF or CR LF")
	f("# a comment\rdeflate = no\r\n", "s:1: there is a control character in the line; lines end with LF or CR LF")
	f("listen = \x1b[2Jx", "s:1: there is a control character in the line; lines end with LF or CR LF")
	f(strings.Repeat("what\n", 1000), strings.Repeat("s:N: the line is no setting: write name = value\n", maxProblems)+
		"s:21: this and what follows was not looked at: is it the settings file?")
	f("listen = \xff", "s: it is no text in UTF-8")
	f("listen = \x00", "s: it is no text in UTF-8")
}

// Who names the wrong file must not find it in the log.
func TestWhatIsWrongWithSettingsShowsNoSecret(t *testing.T) {
	const secret = "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC7VJTUt9Us8cKj"
	for _, text := range []string{secret, secret + "=", secret + " = " + secret, "api-token: " + secret, "listen " + secret, "--listen " + secret, "api_token = " + secret, `listen = "` + secret} {
		_, err := parseSettings("s", text, someNames)
		if err == nil || strings.Contains(err.Error(), secret[:20]) {
			t.Errorf("%q is told as %v", text, err)
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("max-connections = 3 # x\n\norigins = a, b\n")
	f.Add("deflate\nlisten = \xff")
	f.Add("listen=#")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := parseSettings("s", text, someNames)
		seen := map[string]bool{}
		for _, l := range lines {
			if seen[l.name] || l.number < 1 || l.number > strings.Count(text, "\n")+1 || strings.TrimSpace(l.value) != l.value || !strings.Contains(text, l.value) {
				t.Errorf("%q gives %+v", text, l)
			}
			seen[l.name] = true
		}
		if err != nil && !strings.HasPrefix(err.Error(), "s:") {
			t.Errorf("%q: the error does not name the file: %v", text, err)
		}
		if err != nil {
			return
		}
		// What was understood says the same when it is written down.
		var again strings.Builder
		for _, l := range lines {
			fmt.Fprintf(&again, "%s=%s\n", l.name, l.value)
		}
		rewritten, err := parseSettings("s", again.String(), someNames)
		if err != nil || len(rewritten) != len(lines) {
			t.Fatalf("%q gives %q, and that %v, %v", text, again.String(), rewritten, err)
		}
		for i := range lines {
			if rewritten[i].name != lines[i].name || rewritten[i].value != lines[i].value {
				t.Errorf("%q: %+v is %+v", text, lines[i], rewritten[i])
			}
		}
	})
}

// serveFlags are those of c.
func serveFlags(t *testing.T, c *cli) map[string]*kong.Flag {
	t.Helper()
	parser, err := c.parser(func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		if command.Name == "serve" {
			return flagsOf(command)
		}
	}
	t.Fatal("there is no serve")
	return nil
}

// parsed is a serve that was started with args.
func parsed(t *testing.T, args ...string) *cli {
	t.Helper()
	c := &cli{}
	parser, err := c.parser(func(int) {})
	if err == nil {
		_, err = parser.Parse(append([]string{"serve"}, args...))
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// other changes a value.
func other(t *testing.T, f *kong.Flag) {
	t.Helper()
	switch x := f.Target.Interface().(type) {
	case int:
		f.Target.SetInt(int64(x) + 1)
	case time.Duration:
		f.Target.SetInt(int64(x + time.Second))
	case core.Bytes:
		f.Target.SetInt(int64(x) + 1)
	case bool:
		f.Target.SetBool(!x)
	case share:
		f.Target.SetFloat(float64(x)/2 + 0.03)
	case []string:
		f.Target.Set(reflect.ValueOf([]string{"10.1.2.3"}))
	case string:
		for _, e := range f.EnumSlice() {
			if e != x {
				f.Target.SetString(e)
				return
			}
		}
	default:
		t.Fatalf("--%s is of a kind that this test does not know", f.Name)
	}
}

// Whoever adds a flag has to say in restarts that it needs one, or to apply it in
// serveCmd.change.
func TestEverySettingEitherChangesSomethingOrNeedsARestart(t *testing.T) {
	options := func(c *cli) gateway.Options {
		o := gateway.Options{}
		if err := c.Serve.change(&o); err != nil {
			t.Fatal(err)
		}
		o.Load, o.Test = nil, nil // functions do not compare; their budget stands beside them
		return o
	}
	names := 0
	for name := range serveFlags(t, &cli{}) {
		names++
		c := parsed(t)
		before := options(c)
		other(t, serveFlags(t, c)[name])
		_, fixed := restarts[name]
		if changed := !reflect.DeepEqual(before, options(c)); changed == fixed {
			t.Errorf("--%s changes the options of a running gateway: %v; restarts says that it needs a restart: %v", name, changed, fixed)
		}
	}
	if names < 50 {
		t.Errorf("there are %d flags", names)
	}
	known := serveFlags(t, &cli{})
	for name, why := range restarts {
		if known[name] == nil || why == "" {
			t.Errorf("restarts names %q, because %q", name, why)
		}
	}
}

func TestAFlagWinsOverTheEnvironmentAndThatOverTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings")
	save(t, file, "window = 1\nbudget = 2\nmax-sessions = 3\norigins = https://a.example, file://\ndeflate = no\nrollback-errors = 7%\nidle-timeout = 2m")
	t.Setenv("STRATIX_BUDGET", "20")
	t.Setenv("STRATIX_WINDOW", "10")
	t.Setenv("STRATIX_SETTINGS", file)
	c := parsed(t, "--window=100")
	values := map[string]gateway.Setting{}
	for _, v := range c.Serve.said.values {
		values[v.Name] = v
	}
	f := func(name, value, source, inFile string) {
		t.Helper()
		if v := values[name]; v.Value != value || v.Source != source || v.File != inFile {
			t.Errorf("%s is %+v, want %s by %s, and %q in the file", name, v, value, source, inFile)
		}
	}
	f("window", "100", "flag", "1")
	f("budget", "20", "environment", "2")
	f("max-sessions", "3", "file", "3")
	f("origins", "https://a.example,file://", "file", "https://a.example,file://")
	f("deflate", "false", "file", "no")
	f("rollback-errors", "7%", "file", "7%")
	f("idle-timeout", "2m", "file", "2m")
	f("settings", file, "environment", "")
	f("session-lifetime", "24h", "default", "")
	f("max-message", "64KiB", "default", "")
	f("ping-every", "30s", "default", "")
	if s := &c.Serve; s.Window != 100 || s.Budget != 20 || s.MaxSessions != 3 || s.Deflate || len(s.Origins) != 2 {
		t.Errorf("got %+v", s)
	}
	if _, err := c.Serve.options(slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}

// What is in use is looked after by itself: that its file is broken by now keeps no
// operator from changing something else.
func TestABrokenFileOfSomethingInUseKeepsNoSettingFromChanging(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	keys, issuer, file := filepath.Join(dir, "keys"), filepath.Join(dir, "issuer"), filepath.Join(dir, "settings")
	f := func(text, want string, args ...string) {
		t.Helper()
		save(t, file, "")
		c := parsed(t, append(args, "--settings", file)...)
		_, _, err := c.Serve.settings().Read([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q with %q: got %v, want %q", text, args, err, want)
		}
	}
	for _, name := range []string{cert, key, keys, issuer} {
		save(t, name, "nonsense")
	}
	tls := []string{"--tls-cert", cert, "--tls-key", key}
	tokens := []string{"--api-jwks", issuer, "--api-audience", "a", "--api-algorithms", "HS256"}
	f("window = 7", "", tls...)
	f("window = 7", "", "--keys", keys)
	f("window = 7", "", tokens...)
	// What a restart would read is read.
	f("tls-cert = "+cert+"\ntls-key = "+key, ":1: --tls-cert")
	f("keys = "+keys, "keys")
	f("api-issuer = b", "--api-jwks", tokens...)
}
