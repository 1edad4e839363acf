package torture

import (
	"fmt"
	"os"
	"path/filepath"
)

// variant is what a saved script has of the stages that keep messages.
type variant struct{ disk, ring bool }

var full = variant{disk: true, ring: true}

// script is a main.lua; revision makes each save another text.
func script(revision int, v variant, b bounds) string {
	text := fmt.Sprintf("-- Revision %d.\npipeline {\n  function(msg)\n    if msg:size() > %d then return msg:drop(\"large\") end\n  end,\n",
		revision, 1_000_000+revision)
	if v.disk {
		text += "  stage.disk { segment = \"1MiB\", retain_bytes = \"8MiB\", retain_age = \"10s\" },\n"
	}
	if v.ring {
		text += "  stage.ring {" + b.settings() + "},\n"
	}
	return text + "}\n"
}

// save replaces main.lua as an editor does.
func save(folder, text string) error {
	path := filepath.Join(folder, "main.lua")
	if err := os.WriteFile(path+"~", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(path+"~", path)
}
