package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestEveryFlagIsAlsoAnEnvironmentVariableOfItsName(t *testing.T) {
	parser, err := kong.New(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		if command.Name != "serve" && command.Name != "check" {
			continue
		}
		flags := 0
		for _, flag := range command.Flags {
			want := "STRATIX_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
			if !slices.Equal(flag.Envs, []string{want}) {
				t.Errorf("%s --%s is also %q, want %s", command.Name, flag.Name, flag.Envs, want)
			}
			flags++
		}
		if flags == 0 {
			t.Errorf("%s has no flags", command.Name)
		}
	}
}
