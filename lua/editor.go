package lua

import "embed"

//go:embed annotations/*.lua
var annotations embed.FS

// EditorFiles are what an editor reads to complete and check scripts, by their
// names: the annotations, and the modules that require finds beside the scripts'
// own.
func EditorFiles() map[string][]byte {
	files := map[string][]byte{}
	for _, folder := range []struct {
		fs   embed.FS
		name string
	}{{annotations, "annotations"}, {stdlib, stdlibFolder}} {
		entries, err := folder.fs.ReadDir(folder.name)
		if err != nil {
			panic(err) // the folder is part of the binary
		}
		for _, e := range entries {
			content, err := folder.fs.ReadFile(folder.name + "/" + e.Name())
			if err != nil {
				panic(err)
			}
			files[e.Name()] = content
		}
	}
	return files
}
