package prefix

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stratix-gateway/stratix/core"
)

// maxTargets bounds the targets of one route.
const maxTargets = 16

// words are the kinds of targets as they are written. The sender is written as
// a word, the others as the key of an object that holds their name.
var words = []string{"sender", "client", "prefix", "group"}

const forms = `a target is "sender", or an object with one of client, prefix and group`

func senderTarget(word string) (core.Target, error) {
	if word != "sender" {
		return core.Target{}, fmt.Errorf("unknown target %q%s: %s", word, meant(word), forms)
	}
	return core.Target{Kind: core.ToSender}, nil
}

// kindOf is the kind of the targets that are written as {"<word>": name}.
func kindOf(word string) (core.TargetKind, error) {
	for _, kind := range []core.TargetKind{core.ToClient, core.ToPrefix, core.ToGroup} {
		if kind.String() == word {
			return kind, nil
		}
	}
	return 0, fmt.Errorf("unknown target %q%s: %s", word, meant(word), forms)
}

func namedTarget(kind core.TargetKind, name string) (core.Target, error) {
	longest := core.MaxClientID
	if kind == core.ToGroup {
		longest = core.MaxGroupName
	}
	if problem := core.CheckName(name, longest); problem != "" {
		return core.Target{}, fmt.Errorf("the %v %q %s", kind, name, problem)
	}
	return core.Target{Kind: kind, Name: name}, nil
}

func meant(word string) string {
	if near := core.Nearest(word, words); near != "" && near != word {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// addTarget adds t to the targets of one route.
func addTarget(targets []core.Target, t core.Target) ([]core.Target, error) {
	if slices.Contains(targets, t) {
		return nil, fmt.Errorf("the target %s %q stands there twice", t.Kind, t.Name)
	}
	if len(targets) == maxTargets {
		return nil, fmt.Errorf("more than %d targets", maxTargets)
	}
	return append(targets, t), nil
}

var errNoTarget = errors.New("an empty list: " + forms)

// checkPrefix accepts what a ClientID can begin with, the empty prefix of the
// fallback included.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if problem := core.CheckName(prefix, core.MaxClientID); problem != "" {
		return fmt.Errorf("the prefix %s", problem)
	}
	return nil
}
