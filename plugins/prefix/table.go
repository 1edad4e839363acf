package prefix

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/stratix-gateway/stratix/core"
)

// fromTable reads the routes of a Lua table.
func fromTable(table map[string]any) ([]route, error) {
	var routes []route
	for _, prefix := range slices.Sorted(maps.Keys(table)) {
		err := checkPrefix(prefix)
		var targets []core.Target
		if err == nil {
			targets, err = tableTargets(table[prefix])
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", prefix, err)
		}
		routes = append(routes, route{prefix: prefix, targets: targets})
	}
	return routes, nil
}

// tableTargets reads one target or a list of them.
func tableTargets(v any) ([]core.Target, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) == 0 {
		return nil, errNoTarget
	}
	var targets []core.Target
	for _, v := range list {
		t, err := tableTarget(v)
		if err == nil {
			targets, err = addTarget(targets, t)
		}
		if err != nil {
			return nil, err
		}
	}
	return targets, nil
}

func tableTarget(v any) (core.Target, error) {
	switch v := v.(type) {
	case string:
		return senderTarget(v)
	case map[string]any:
		if len(v) != 1 {
			break
		}
		for word, name := range v {
			kind, err := kindOf(word)
			if err != nil {
				return core.Target{}, err
			}
			if name, ok := name.(string); ok {
				return namedTarget(kind, name)
			}
			return core.Target{}, fmt.Errorf("expected the name of the %s in quotes", word)
		}
	}
	return core.Target{}, errors.New(forms)
}
