package lua

import (
	"math/rand/v2"
	"strconv"

	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

// maxLevels bounds how far a stack is walked: as many calls as there can be.
// Tail calls count too, so of a chain of these the middle is left out.
const maxLevels = 128

// sampler notes where the instructions of one VM's calls go. It belongs to the
// goroutine of its shard.
type sampler struct {
	vm         *vm
	to         *core.Samples
	generation uint32
	stage      string // or hook, of the running call
	random     *rand.Rand
	builtIns   map[*glua.LFunction]string
	protos     map[*glua.FunctionProto]uint64 // numbers for the keys of stacks
	stacks     map[string]*core.Stack         // nil for those that found no room
	key        []byte
	frames     []sampledFrame
}

// sampledFrame is a function on the stack and where it was.
type sampledFrame struct {
	fn   *glua.LFunction
	line int
	dbg  *glua.Debug
}

func newSampler(in *instance, to *core.Samples) *sampler {
	return &sampler{
		vm: in.vm, to: to, generation: in.load.number,
		random:   rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		builtIns: in.builtIns(), protos: map[*glua.FunctionProto]uint64{}, stacks: map[string]*core.Stack{},
	}
}

// call is vm.callAfter with samples. The first one is at random, so that calls
// shorter than the distance of two are sampled in proportion.
func (s *sampler) call(stage string, spent int, fn *glua.LFunction, nret int, args []glua.LValue) error {
	b := s.vm.budget
	s.stage = stage
	b.reset(s.vm.calls, s.vm.callTime)
	b.charge(spent)
	b.sample(s, 1+s.random.IntN(core.SampleEvery))
	defer func() { b.due = neverDue }()
	return s.vm.protected(fn, nret, args)
}

// take notes the running stack, for so many samples.
func (s *sampler) take(samples int) {
	s.walk()
	s.key = append(append(s.key[:0], s.stage...), 0)
	for _, f := range s.frames {
		number := uint64(0) // a built-in: told apart by its name
		if f.fn.IsG {
			s.key = append(append(s.key, s.builtIn(f)...), 0)
		} else if number = s.protos[f.fn.Proto]; number == 0 {
			number = uint64(len(s.protos)) + 1
			s.protos[f.fn.Proto] = number
		}
		s.key = append(strconv.AppendUint(s.key, number, 10), ':')
		s.key = append(strconv.AppendInt(s.key, int64(f.line), 10), ' ')
	}
	stack, known := s.stacks[string(s.key)]
	if !known {
		stack = s.stack()
		if !s.to.Add(stack) {
			s.to.Lost += uint64(samples)
			return
		}
		s.stacks[string(s.key)] = stack
	}
	stack.Samples += uint64(samples)
}

// walk gathers the functions on the stack, innermost first. Each tail call that
// took the place of its caller is a level where gopher-lua shows the outermost
// function instead.
func (s *sampler) walk() {
	s.frames = s.frames[:0]
	L := s.vm.L
	outermost, ok := L.GetStack(-1)
	if !ok {
		return
	}
	bottom := *outermost
	for level := range maxLevels {
		dbg, ok := L.GetStack(level)
		if !ok {
			break
		}
		if *dbg != bottom {
			s.push(dbg)
		}
	}
	s.push(outermost)
}

func (s *sampler) push(dbg *glua.Debug) {
	value, err := s.vm.L.GetInfo("fl", dbg, glua.LNil)
	if fn, ok := value.(*glua.LFunction); ok && err == nil {
		s.frames = append(s.frames, sampledFrame{fn, max(dbg.CurrentLine, 0), dbg})
	}
}

// stack is the walked stack with its names.
func (s *sampler) stack() *core.Stack {
	stack := &core.Stack{Generation: s.generation, Stage: s.stage, Frames: make([]core.Frame, len(s.frames))}
	for i, f := range s.frames {
		if f.fn.IsG {
			stack.Frames[i] = core.Frame{Function: s.builtIn(f)}
			continue
		}
		proto := f.fn.Proto
		name := s.calledAs(f)
		switch {
		case i == len(s.frames)-1 && !isPosition(s.stage):
			name = s.stage // a hook
		case i == len(s.frames)-1 || name == "" || name[0] == '<':
			name = position(proto.SourceName, proto.LineDefined)
		}
		stack.Frames[i] = core.Frame{Function: name, File: proto.SourceName, Line: f.line, Start: proto.LineDefined}
	}
	return stack
}

// calledAs is the name of a function in the code that called it; "" and what
// begins with < is none.
func (s *sampler) calledAs(f sampledFrame) string {
	if _, err := s.vm.L.GetInfo("n", f.dbg, glua.LNil); err != nil {
		return ""
	}
	return f.dbg.Name
}

// builtIn names a built-in function.
func (s *sampler) builtIn(f sampledFrame) string {
	if name := s.builtIns[f.fn]; name != "" {
		return name
	}
	if name := s.calledAs(f); name != "" && name[0] != '(' && name != "?" {
		return name
	}
	return "built-in function"
}

// builtIns are the names by which scripts call the built-in functions.
func (in *instance) builtIns() map[*glua.LFunction]string {
	names := map[*glua.LFunction]string{}
	name := func(fn *glua.LFunction, as string) {
		if old := names[fn]; fn.IsG && (old == "" || len(as) < len(old)) {
			names[fn] = as
		}
	}
	var library func(before string, table *glua.LTable, depth int)
	library = func(before string, table *glua.LTable, depth int) {
		if depth == 0 {
			return
		}
		table.ForEach(func(key, value glua.LValue) {
			switch value := value.(type) {
			case *glua.LFunction:
				name(value, before+key.String())
			case *glua.LTable:
				if sealed := methods(value); sealed != nil {
					library(before+key.String()+".", sealed, depth-1)
				}
			}
		})
	}
	library("", in.vm.L.G.Global, 3)
	library("msg:", methods(&glua.LTable{Metatable: in.messageType}), 1)
	library("conn:", methods(&glua.LTable{Metatable: in.connType}), 1)
	name(in.vm.ipairsNext, "ipairs")
	for operator, meaning := range map[string]string{concatName: "..", setIndexName: "t[k] = v", keyName: "{ [k] = v }", tableName: "{ ... }", emptyName: "{ }"} {
		if fn, ok := in.vm.L.GetGlobal(operator).(*glua.LFunction); ok {
			names[fn] = meaning
		}
	}
	return names
}

// methods are the functions that a sealed table or an object reads from; nil if
// there are none.
func methods(t *glua.LTable) *glua.LTable {
	meta, ok := t.Metatable.(*glua.LTable)
	if !ok {
		return nil
	}
	table, _ := meta.RawGetString("__index").(*glua.LTable)
	return table
}
