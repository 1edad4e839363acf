package all_test

import (
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
	"github.com/stratix-gateway/stratix/lua"
)

// kept runs a message through a pipeline of these items.
func kept(t *testing.T, items string) *core.Message {
	t.Helper()
	files := lua.Sources{"main.lua": []byte("pipeline {\n" + items + "\n}\n")}
	gen, err := lua.Load(files, lua.Options{Number: 1, Shards: 1, Env: coretest.Env(t, nil)})
	if err != nil {
		t.Fatal(err)
	}
	m := coretest.Message("ann", `{"symbol":"A","n":5}`)
	if v, err := gen.Programs[0].Pipeline.Run(m); v != core.Done || err != nil {
		t.Fatalf("%s: got %v, %v", items, v, err)
	}
	return m
}

func TestWhereAPipelineKeepsAMessage(t *testing.T) {
	f := func(items string, want core.Storage) {
		t.Helper()
		if got := kept(t, items).Storage; got != want {
			t.Errorf("%s: got %q, want %q", items, got, want)
		}
	}
	const ring, disk = `stage.ring {}, `, `stage.disk {}, `
	say := func(storage string) string { return `function(msg) msg:store("` + storage + `") end, ` }

	f(``, core.StorageUnset)
	f(ring, core.StorageMemory)
	f(disk, core.StorageDisk)
	f(ring+disk, core.StorageDisk)
	f(disk+ring, core.StorageDisk)
	f(say("disk"), core.StorageUnset)
	for _, stages := range []string{ring + disk, disk + ring} {
		f(say("none")+stages, core.StorageNone)
		f(say("memory")+stages, core.StorageMemory)
		f(say("disk")+stages, core.StorageDisk)
		f(stages+say("none"), core.StorageNone)
		f(stages+say("memory"), core.StorageMemory)
		f(stages+say("disk"), core.StorageDisk)
	}
	f(ring+say("none")+disk, core.StorageNone)
	f(ring+say("memory")+disk, core.StorageMemory)
	f(disk+say("none")+say("disk"), core.StorageNone) // the disk stage does not act again
	f(say("none")+say("disk")+disk, core.StorageDisk)
}

func TestWhoGivesAMessageItsPolicy(t *testing.T) {
	f := func(items string, policy core.Overflow, key string) {
		t.Helper()
		if m := kept(t, items); m.Overflow != policy || string(m.ConflateKey) != key {
			t.Errorf("%s: got %q and the key %q, want %q and %q", items, m.Overflow, m.ConflateKey, policy, key)
		}
	}
	const conflate = `stage.ring { overflow = "conflate", key = "data.symbol" }, `
	f(`stage.disk {}`, core.OverflowUnset, ``)
	f(conflate, core.OverflowConflate, `"A"`)
	f(conflate+`stage.ring { overflow = "disconnect" }`, core.OverflowConflate, `"A"`)
	f(`function(msg) msg:overflow("conflate", msg:get("data.n")) end, `+conflate, core.OverflowConflate, `5`)
	f(`function(msg) msg:overflow("drop_oldest") end, `+conflate, core.OverflowDropOldest, ``)
	f(conflate+`function(msg) msg:overflow("reject") end`, core.OverflowReject, ``)
	f(conflate+`function(msg) msg:set("data", "gone") end`, core.OverflowConflate, `"A"`)
}
