package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/stratix-gateway/stratix/core/file"
	"github.com/stratix-gateway/stratix/core/gateway"
)

// said is how the settings of a gateway were said: by flags, by the environment and
// by the lines of a file, of which the first that says something wins.
type said struct {
	args   []string // the command line
	file   string   // "" for none
	text   []byte   // of it; nil: it is still to be read
	lines  map[string]settingLine
	values []gateway.Setting
	wrong  settingsError   // what is wrong with lines by themselves
	bad    map[string]bool // the settings that have no value for that
}

// unread are the settings whose lines could not be understood.
func (s *said) unread() map[string]bool {
	bad := map[string]bool{}
	if s != nil {
		maps.Copy(bad, s.bad)
	}
	return bad
}

// BeforeResolve reads the settings file, for the flags that nobody has given.
func (c *serveCmd) BeforeResolve(k *kong.Context) error {
	if c.said == nil {
		c.said = &said{}
	}
	s := c.said
	s.args = k.Args
	flags := flagsOf(k.Selected())
	if s.file, _ = k.FlagValue(flags["settings"]).(string); s.file == "" {
		return nil
	}
	if s.text == nil {
		text, _, err := file.Read(s.file)
		if err != nil {
			return &settingsError{[]string{"--settings " + err.Error()}}
		}
		s.text = text
	}
	s.read(flags)
	k.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
		if line, ok := s.lines[f.Name]; ok && flags[f.Name] == f && !inEnvironment(f) {
			return line.value, nil
		}
		return nil, nil
	}))
	return nil
}

// AfterApply notes where each setting comes from. All of them have been validated.
func (c *serveCmd) AfterApply(k *kong.Context) error {
	given := map[string]bool{}
	for _, p := range k.Path {
		if p.Flag != nil && !p.Resolved {
			given[p.Flag.Name] = true
		}
	}
	for _, f := range k.Selected().Flags {
		v := gateway.Setting{Name: f.Name, Value: valueText(f.Target), Source: gateway.FromDefault, Restart: restarts[f.Name]}
		line, inFile := c.said.lines[f.Name]
		v.File = line.value
		switch {
		case given[f.Name]:
			v.Source = gateway.FromFlag
		case inEnvironment(f):
			v.Source = gateway.FromEnvironment
		case inFile:
			v.Source = gateway.FromFile
		}
		c.said.values = append(c.said.values, v)
	}
	return nil
}

// flagsOf are the flags of a command by their names.
func flagsOf(command *kong.Node) map[string]*kong.Flag {
	all := map[string]*kong.Flag{}
	for _, f := range command.Flags {
		all[f.Name] = f
	}
	return all
}

func inEnvironment(f *kong.Flag) bool {
	for _, name := range f.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return true
		}
	}
	return false
}

// read checks each line of the text by itself. What is wrong is said with what is
// wrong of the others together, see blame.
func (s *said) read(flags map[string]*kong.Flag) {
	var known []string
	for name := range flags {
		if name != "settings" && name != "help" {
			known = append(known, name)
		}
	}
	lines, err := parseSettings(s.file, string(s.text), known)
	if wrong := new(settingsError); errors.As(err, &wrong) {
		s.wrong = *wrong
	}
	s.lines, s.bad = map[string]settingLine{}, map[string]bool{}
	for _, line := range lines {
		f := flags[line.name]
		if f.IsSlice() {
			line.value = withoutBlanks(line.value)
		}
		if err := checkValue(f, line.value); err != nil {
			s.wrong.add(s.file, line.number, "%s: %v", line.name, err)
			s.bad[line.name] = true
			continue
		}
		s.lines[line.name] = line
	}
}

// withoutBlanks takes the blanks out of a list.
func withoutBlanks(list string) string {
	parts := strings.Split(list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.Join(parts, ",")
}

// checkValue reads a value as the flag would.
func checkValue(f *kong.Flag, text string) error {
	into := reflect.New(f.Target.Type()).Elem()
	err := f.Mapper.Decode(&kong.DecodeContext{Value: f.Value, Scan: kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text})}, into)
	if err != nil {
		switch into.Interface().(type) {
		case time.Duration:
			err = fmt.Errorf("%q is not a duration: write a number and a unit, such as 250ms, 30s, 5m or 24h", text)
		case int:
			err = fmt.Errorf("%q is not a whole number", text)
		case bool:
			err = fmt.Errorf("%q is neither true nor false", text)
		}
		return err
	}
	if f.Enum != "" && !slices.Contains(f.EnumSlice(), text) {
		return fmt.Errorf("%q is none of %s", text, strings.Join(f.EnumSlice(), ", "))
	}
	return nil
}

// valueText is a value as a flag takes it.
func valueText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case []string:
		return strings.Join(x, ",")
	case time.Duration:
		text := x.String()
		for _, zero := range []string{"m0s", "h0m"} {
			if strings.HasSuffix(text, zero) {
				text = text[:len(text)-2]
			}
		}
		return text
	}
	return fmt.Sprint(v.Interface())
}

// flagName finds the flags that a problem is about.
var flagName = regexp.MustCompile(`--([a-z][a-z-]*[a-z])`)

// blame says where in the file a problem comes from that shows only when all is said:
// the first line whose flag it names. What is wrong with single lines stands before it.
func (s *said) blame(err error) error {
	if s == nil || s.file == "" {
		return err
	}
	wrong := settingsError{slices.Clone(s.wrong.problems)}
	if err == nil {
		return wrong.orNil()
	}
	for _, text := range strings.Split(err.Error(), "\n") {
		number := 0
		for _, name := range flagName.FindAllStringSubmatch(text, -1) {
			if line, ok := s.lines[name[1]]; ok {
				number = line.number
				break
			}
		}
		wrong.add(s.file, number, "%s", text)
	}
	return &wrong
}

// settings are what the gateway needs to show them, and to read the file again.
func (c *serveCmd) settings() gateway.Settings {
	s := c.said
	return gateway.Settings{File: s.file, Text: s.text, Values: s.values, Read: c.readAgain}
}

// readAgain is gateway.Settings.Read: c with another text of the settings file. What
// needs a restart is checked, too, and stays as it is in c.
func (c *serveCmd) readAgain(text []byte) ([]gateway.Setting, func(*gateway.Options), error) {
	next := cli{}
	next.Serve.said = &said{text: append([]byte{}, text...)}
	parser, err := next.parser(func(int) {})
	if err == nil {
		_, err = parser.Parse(c.said.args)
	}
	var off *settingsError
	if errors.As(err, &off) {
		err = off // without the name of the command, which nobody has typed
	}
	if err != nil {
		return nil, nil, err
	}
	wanted := &next.Serve
	if _, err := wanted.without(c).options(slog.New(slog.DiscardHandler)); err != nil {
		return nil, nil, wanted.said.blame(err)
	}
	mixed, err := c.mixed(wanted)
	if err != nil {
		return nil, nil, err
	}
	if err := mixed.validate(map[string]bool{}); err != nil {
		return nil, nil, wanted.said.blame(fmt.Errorf("with what needs a restart as it is now: %w", err))
	}
	return wanted.said.values, func(o *gateway.Options) { _ = mixed.change(o) }, nil // what change refuses, options has refused
}

// mixed is c with the settings of wanted that can change.
func (c *serveCmd) mixed(wanted *serveCmd) (*serveCmd, error) {
	to, from := cli{Serve: *c}, cli{Serve: *wanted}
	to.Serve.said = nil
	var flags [2]map[string]*kong.Flag
	for i, all := range []*cli{&to, &from} {
		parser, err := all.parser(func(int) {})
		if err != nil {
			return nil, err
		}
		for _, command := range parser.Model.Children {
			if command.Name == "serve" {
				flags[i] = flagsOf(command)
			}
		}
	}
	for name, f := range flags[0] {
		if _, fixed := restarts[name]; !fixed {
			f.Target.Set(flags[1][name].Target)
		}
	}
	return &to.Serve, nil
}
