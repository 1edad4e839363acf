package lua

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// stdlib are the modules that come with the binary.
//
//go:embed stdlib/*.lua
var stdlib embed.FS

// stdlibFolder is where they are searched, after the scripts folder.
const stdlibFolder = "stdlib"

// modules are the compiled files that require finds. They are immutable and
// shared between VMs.
type modules struct {
	chunks map[string]*Chunk // by path
}

// compileModules compiles every Lua file but main.lua and the tests, and the
// modules that come with the binary.
func compileModules(src Sources, known knownGlobals) (*modules, []Problem) {
	m := &modules{chunks: map[string]*Chunk{}}
	var problems []Problem
	add := func(name string, content []byte) {
		chunk, found := compile(name, content, known)
		problems = append(problems, found...)
		m.chunks[name] = chunk
	}
	files, err := stdlib.ReadDir(stdlibFolder)
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	for _, file := range files {
		name := stdlibFolder + "/" + file.Name()
		content, err := stdlib.ReadFile(name)
		if err != nil {
			panic(err)
		}
		add(name, content)
	}
	names := make([]string, 0, len(src))
	for name := range src {
		if strings.HasSuffix(name, ".lua") && !isTest(name) && name != mainFile {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		add(name, src[name])
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return m, nil
}

// moduleName is what require takes: words with dots between them.
var moduleName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// find returns the chunk of a module: "lib.words" is lib/words.lua of the
// scripts folder, else of the modules that come with the binary. It is what a
// VM's Require option takes.
func (m *modules) find(name string) (*Chunk, error) {
	if !moduleName.MatchString(name) {
		return nil, fmt.Errorf("module name %q: it has to be words with dots between them, such as lib.words", name)
	}
	file := strings.ReplaceAll(name, ".", "/") + ".lua"
	searched := []string{file, stdlibFolder + "/" + file}
	for _, at := range searched {
		if chunk := m.chunks[at]; chunk != nil {
			return chunk, nil
		}
	}
	return nil, fmt.Errorf("module '%s' not found: there is no %s", name, strings.Join(searched, " and no "))
}

// require runs a module once for each VM and returns its value.
func (v *vm) require(L *glua.LState) int {
	name := L.CheckString(1)
	if value, ok := v.loaded[name]; ok {
		L.Push(value)
		return 1
	}
	if v.frozen {
		L.RaiseError("module '%s' is not loaded: require it at the top of the file", name)
	}
	if v.opt.Require == nil {
		L.RaiseError("module '%s' not found", name)
	}
	chunk, err := v.opt.Require(name)
	if err != nil {
		L.RaiseError("%s", err)
	}
	if slices.Contains(v.loading, chunk.Name) {
		L.RaiseError("modules require each other: %s", strings.Join(append(v.loading, chunk.Name), " -> "))
	}
	v.loading = append(v.loading, chunk.Name)
	defer func() { v.loading = v.loading[:len(v.loading)-1] }()
	L.Push(L.NewFunctionFromProto(chunk.Proto))
	L.Call(0, 1)
	value := L.Get(-1)
	if value == glua.LNil {
		value = glua.LTrue
	}
	v.loaded[name] = value
	L.SetTop(0)
	L.Push(value)
	return 1
}
