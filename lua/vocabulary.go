package lua

import (
	"slices"

	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

// vocabulary is what scripts can name beside their own: read from a VM, so that
// it cannot differ from what runs.
type vocabulary struct {
	libraries map[string][]string // fields of the sealed global tables
	verbs     map[string][]string // of "msg" and "conn"
	stages    map[string][]string // settings; nil where a stage checks them itself
}

func (in *instance) vocabulary() *vocabulary {
	v := &vocabulary{libraries: map[string][]string{}, verbs: map[string][]string{}, stages: map[string][]string{}}
	keys := func(t *glua.LTable) (list []string) {
		t.ForEach(func(key, _ glua.LValue) { list = append(list, key.String()) })
		slices.Sort(list)
		return list
	}
	in.vm.L.G.Global.ForEach(func(key, value glua.LValue) {
		if table, ok := value.(*glua.LTable); ok && protectedMetatable(table) {
			if fields := methods(table); fields != nil {
				v.libraries[key.String()] = keys(fields)
			}
		}
	})
	v.verbs["msg"] = keys(methods(&glua.LTable{Metatable: in.messageType}))
	v.verbs["conn"] = keys(methods(&glua.LTable{Metatable: in.connType}))
	for _, p := range core.Plugins() {
		v.stages[p.Name] = settingKeys(p)
	}
	return v
}

// settingKeys are the settings of a stage by its Settings; nil without.
func settingKeys(p core.Plugin) (keys []string) {
	t := settingsType(p)
	if t == nil {
		return nil
	}
	keys = []string{}
	for i := range t.NumField() {
		if key := settingKey(t.Field(i)); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
