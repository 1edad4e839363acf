package core_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

type policy string

type everything struct {
	File    string            `lua:"file"`
	Policy  policy            `lua:"policy"`
	On      bool              `lua:"on"`
	Count   int               `lua:"count"`
	Small   int8              `lua:"small"`
	Level   uint8             `lua:"level"`
	Big     uint64            `lua:"big"`
	Rate    float64           `lua:"rate"`
	Wait    time.Duration     `lua:"wait"`
	Size    core.Bytes        `lua:"size"`
	Names   []string          `lua:"names"`
	Labels  map[string]string `lua:"labels"`
	Table   map[string]any    `lua:"table"`
	Any     any               `lua:"any"`
	private string
}

func TestDecodeFillsAStruct(t *testing.T) {
	f := func(values map[string]any, want everything) {
		t.Helper()
		var got everything
		if err := (core.Config{Stage: "s", Values: values}).Decode(&got); err != nil {
			t.Errorf("decode %v: %v", values, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("decode %v:\n got %+v\nwant %+v", values, got, want)
		}
	}
	type v = map[string]any
	f(nil, everything{})
	f(v{"file": "routes.json"}, everything{File: "routes.json"})
	f(v{"policy": "drop_oldest"}, everything{Policy: "drop_oldest"})
	f(v{"on": true}, everything{On: true})
	f(v{"count": -7.0}, everything{Count: -7})
	f(v{"count": 9007199254740992.0}, everything{Count: 1 << 53})
	f(v{"small": -128.0}, everything{Small: -128})
	f(v{"level": 255.0}, everything{Level: 255})
	f(v{"big": 4294967296.0}, everything{Big: 1 << 32})
	f(v{"rate": 0.5}, everything{Rate: 0.5})
	f(v{"wait": "1m30s"}, everything{Wait: 90 * time.Second})
	f(v{"size": "512MiB"}, everything{Size: 512 << 20})
	f(v{"size": 4096.0}, everything{Size: 4096})
	f(v{"names": []any{"a", "b"}}, everything{Names: []string{"a", "b"}})
	f(v{"names": v{}}, everything{Names: []string{}})
	f(v{"labels": v{"a": "b"}}, everything{Labels: map[string]string{"a": "b"}})
	f(v{"labels": []any{}}, everything{Labels: map[string]string{}})
	f(v{"table": v{"a": 1.0}}, everything{Table: v{"a": 1.0}})
	f(v{"table": []any{}}, everything{Table: v{}})
	f(v{"any": "text"}, everything{Any: "text"})
	f(v{"any": []any{1.0}}, everything{Any: []any{1.0}})
	f(v{"file": "f", "on": true, "level": 9.0}, everything{File: "f", On: true, Level: 9})
}

func TestDecodeKeepsTheDefaultsOfAbsentKeys(t *testing.T) {
	got := everything{File: "default", Count: 3, private: "mine"}
	if err := (core.Config{Values: map[string]any{"count": 4.0}}).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if want := (everything{File: "default", Count: 4, private: "mine"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	f := func(values map[string]any, want ...string) {
		t.Helper()
		err := (core.Config{Stage: "prefix", Pos: "main.lua:12", Values: values}).Decode(&everything{})
		for i := range want {
			want[i] = "main.lua:12: stage.prefix: " + want[i]
		}
		if got := fmt.Sprint(err); got != strings.Join(want, "\n") {
			t.Errorf("decode %v:\n got %s\nwant %s", values, got, strings.Join(want, "\n"))
		}
	}
	type v = map[string]any
	f(v{"fil": "x"}, `unknown key "fil"; did you mean "file"?`)
	f(v{"zebra": "x"}, `unknown key "zebra"`)
	f(v{"private": "x"}, `unknown key "private"`)
	f(v{"file": 5.0}, `file: expected a string, got the number 5`)
	f(v{"file": nil}, `file: expected a string, got nothing`)
	f(v{"policy": true}, `policy: expected a string, got true`)
	f(v{"on": "yes"}, `on: expected true or false, got the string "yes"`)
	f(v{"on": strings.Repeat("y", 41)}, `on: expected true or false, got a string of 41 bytes`)
	f(v{"on": 1.0}, `on: expected true or false, got the number 1`)
	f(v{"count": 1.5}, `count: expected a whole number, got the number 1.5`)
	f(v{"count": 1e300}, `count: expected a whole number, got the number 1e+300`)
	f(v{"count": "1"}, `count: expected a whole number, got the string "1"`)
	f(v{"small": 128.0}, `small: expected a whole number from -128 to 127, got the number 128`)
	f(v{"level": -1.0}, `level: expected a whole number from 0 to 255, got the number -1`)
	f(v{"big": -1.0}, `big: expected a whole number from 0 up, got the number -1`)
	f(v{"rate": math.NaN()}, `rate: expected a number, got the number NaN`)
	f(v{"rate": math.Inf(1)}, `rate: expected a number, got the number +Inf`)
	f(v{"wait": 30.0}, `wait: expected a duration such as "30s" or "5m", got the number 30: a duration names its unit; did you mean "30s"?`)
	f(v{"wait": 0.5}, `wait: expected a duration such as "30s" or "5m", got the number 0.5`)
	f(v{"wait": "-1s"}, `wait: expected a duration such as "30s" or "5m", got the string "-1s"`)
	f(v{"wait": "soon"}, `wait: expected a duration such as "30s" or "5m", got the string "soon"`)
	f(v{"wait": true}, `wait: expected a duration such as "30s" or "5m", got true`)
	f(v{"size": "12 potatoes"}, `size: "12 potatoes" is not a size: write a whole number and a unit, such as 64KiB, 512MiB or 1GB`)
	f(v{"size": -1.0}, `size: expected a size such as "512MiB" or a number of bytes, got the number -1`)
	f(v{"size": 0.5}, `size: expected a size such as "512MiB" or a number of bytes, got the number 0.5`)
	f(v{"size": []any{}}, `size: expected a size such as "512MiB" or a number of bytes, got a list`)
	f(v{"names": "a"}, `names: expected a list of strings, got the string "a"`)
	f(v{"names": []any{"a", 2.0, v{}}},
		`names: expected a string at index 2, got the number 2`,
		`names: expected a string at index 3, got a table`)
	f(v{"names": v{"a": "b"}}, `names: expected a list of strings, got a table`)
	f(v{"labels": v{"b": 1.0, "a": false, "c": "fine"}},
		`labels: expected a string for "a", got false`,
		`labels: expected a string for "b", got the number 1`)
	f(v{"labels": []any{"a"}}, `labels: expected a table of strings, got a list`)
	f(v{"table": []any{1.0}}, `table: expected a table, got a list`)
	f(v{"wait": 5.0, "zz": 1.0, "file": true, "aa": 1.0},
		`unknown key "aa"`,
		`unknown key "zz"`,
		`file: expected a string, got true`,
		`wait: expected a duration such as "30s" or "5m", got the number 5: a duration names its unit; did you mean "5s"?`)
}

func TestDecodeAsksForRequiredKeys(t *testing.T) {
	var settings struct {
		URL  string        `lua:"url,required"`
		Wait time.Duration `lua:"wait,required"`
	}
	c := core.Config{Stage: "upstream", Pos: "main.lua:3", Values: map[string]any{"url": ""}}
	want := `main.lua:3: stage.upstream: the key "wait" is missing: expected a duration such as "30s" or "5m"`
	if err := c.Decode(&settings); fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDecodeNamesThePlaceOfTheKey(t *testing.T) {
	c := core.Config{
		Stage: "prefix", Pos: "main.lua:12",
		Values: map[string]any{"file": 1.0, "fil": 1.0, "on": 1.0},
		KeyPos: func(key string) string { return map[string]string{"file": "main.lua:13", "fil": "main.lua:14"}[key] },
	}
	want := `main.lua:14: stage.prefix: unknown key "fil"; did you mean "file"?
main.lua:13: stage.prefix: file: expected a string, got the number 1
main.lua:12: stage.prefix: on: expected true or false, got the number 1`
	if err := c.Decode(&everything{}); fmt.Sprint(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestDecodePanicsOnSettingsItCannotFill(t *testing.T) {
	f := func(dst any) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("decode into %T: no panic", dst)
			}
		}()
		_ = core.Config{}.Decode(dst)
	}
	f(nil)
	f(everything{})
	f((*everything)(nil))
	f(new(int))
	f(&struct {
		C chan int `lua:"c"`
	}{})
	f(&struct {
		N []int `lua:"n"`
	}{})
	f(&struct {
		hidden string `lua:"hidden"`
	}{})
	f(&struct {
		A string `lua:"a,optional"`
	}{})
	f(&struct {
		A string `lua:""`
	}{})
}

func TestErrorfNamesStageAndKey(t *testing.T) {
	f := func(pos, key, want string) {
		t.Helper()
		err := core.Config{Stage: "prefix", Pos: pos}.Errorf(key, "read %d%%: %w", 50, fs.ErrNotExist)
		if err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f("main.lua:1", "file", "main.lua:1: stage.prefix: file: read 50%: file does not exist")
	f("main.lua:1", "", "main.lua:1: stage.prefix: read 50%: file does not exist")
	f("", "100%d", "stage.prefix: 100%d: read 50%: file does not exist")
}

func TestBytesAreReadFromText(t *testing.T) {
	f := func(text string, want core.Bytes) {
		t.Helper()
		var got core.Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	f("0", 0)
	f("4096", 4096)
	f("7B", 7)
	f("64KiB", 64<<10)
	f("512MiB", 512<<20)
	f("3GiB", 3<<30)
	f("2TiB", 2<<40)
	f("5kB", 5000)
	f("5KB", 5000)
	f("5MB", 5e6)
	f("1GB", 1e9)
	f("1TB", 1e12)
	f("9223372036854775807", math.MaxInt64)
	f("8388607TiB", 8388607<<40)
}

func TestBytesAreRefused(t *testing.T) {
	f := func(text string) {
		t.Helper()
		got := core.Bytes(-3)
		if err := got.UnmarshalText([]byte(text)); err == nil || got != -3 {
			t.Errorf("%q: got %d, %v, want an error and no change", text, got, err)
		}
	}
	f("")
	f("MiB")
	f("-1")
	f("+1")
	f("1.5GiB")
	f("1 MiB")
	f("1mib")
	f("1M")
	f("0x10")
	f("1_000")
	f("8388608TiB")
	f("9223372036854775808")
}

func TestBytesAreWrittenAsTheyAreRead(t *testing.T) {
	f := func(b core.Bytes, want string) {
		t.Helper()
		if got := b.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(b), got, want)
		}
		var back core.Bytes
		if err := back.UnmarshalText([]byte(want)); err != nil || back != b {
			t.Errorf("%s: read back as %d, %v", want, back, err)
		}
	}
	f(0, "0B")
	f(1, "1B")
	f(1023, "1023B")
	f(64<<10, "64KiB")
	f(1536<<20, "1536MiB")
	f(1<<40, "1TiB")
	f(1e9, "1000000000B")
}
