package lua

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// maxString bounds every string that a script makes, in bytes.
const maxString = 1 << 20

// maxResults bounds how many values a built-in returns (unpack, string.byte).
const maxResults = 1024

// maxListLength bounds a list: larger integer keys are kept like any other key
// and are not counted by #t.
const maxListLength = 100_000 - 1

func init() {
	// The keys below MaxArrayIndex are kept in an array that is filled up to the
	// largest of them.
	glua.MaxArrayIndex = maxListLength + 1
	// No implicit table `arg` in functions with `...`.
	glua.CompatVarArg = false
}

// vmOptions are what a VM is made with.
type vmOptions struct {
	// Budget is how many instructions one call may use; 0 is defaultBudget.
	Budget int
	// Require finds the chunk of a module by its name; nil finds none.
	Require func(name string) (*Chunk, error)
	// Log takes what scripts print; pos is "main.lua:12". nil discards it.
	Log func(level slog.Level, pos, text string, attrs ...slog.Attr)
	// Open installs the globals of the bindings before any chunk runs. The
	// names have to be among the known globals that the chunks were compiled with.
	Open func(v *vm)
}

// vm is one Lua state with its sandbox. It belongs to one goroutine at a time.
type vm struct {
	L      *glua.LState
	budget *budget
	// broken is set when Go code panicked below a call. Every later call fails:
	// the owner discards the VM and makes another.
	broken bool

	opt      vmOptions
	calls    int           // instructions of one call
	callTime time.Duration // at most for one call
	loadTime time.Duration // at most for running a file
	started  time.Time
	random   *rand.Rand
	frozen   bool // no chunk will run any more
	loaded   map[string]glua.LValue
	loading  []string // modules being loaded, outermost first
	patterns map[string]*pattern

	next, ipairsNext *glua.LFunction // the iterators of pairs and ipairs
}

// newVM makes a VM with the sandbox opened and nothing loaded.
func newVM(opt vmOptions) *vm {
	v := &vm{
		// CallStackSize is fixed, not grown on demand (MinimizeStackMemory): it is
		// 10 KB, and the growing stack of gopher-lua 1.1.2 panics where this one
		// raises "stack overflow".
		L: glua.NewState(glua.Options{
			SkipOpenLibs:     true,
			RegistrySize:     512,
			RegistryMaxSize:  65536,
			RegistryGrowStep: 1024,
			CallStackSize:    128,
		}),
		budget:   newBudget(),
		opt:      opt,
		calls:    opt.Budget,
		callTime: maxCallTime,
		loadTime: maxLoadTime,
		started:  time.Now(),
		random:   rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		loaded:   map[string]glua.LValue{},
		patterns: map[string]*pattern{},
	}
	if v.calls <= 0 {
		v.calls = defaultBudget
	}
	v.L.SetContext(v.budget)
	v.budget.reset(loadBudget, v.loadTime)
	v.openSandbox()
	if opt.Open != nil {
		opt.Open(v)
	}
	return v
}

// close releases the VM.
func (v *vm) close() { v.L.Close() }

// run executes a main chunk with the budget for loading. A failure is a
// *ScriptError.
func (v *vm) run(c *Chunk) error {
	v.budget.reset(loadBudget, v.loadTime)
	v.loading = append(v.loading[:0], c.Name)
	return v.protected(v.L.NewFunctionFromProto(c.Proto), 0, nil)
}

// freeze ends loading: from now on no global can be created and no further
// module loaded.
func (v *vm) freeze() {
	if v.frozen {
		return
	}
	v.frozen = true
	globals := v.L.G.Global
	globals.Metatable = v.refusing("globals cannot be created while messages are handled")
}

// call runs fn with the budget of a call. The nret results are v.L.Get(1) to
// v.L.Get(nret) until the next call. A failure is a *ScriptError. It is not to
// be used by Go code that a script called: that calls v.L.Call, within the
// budget of the call that is running.
func (v *vm) call(fn *glua.LFunction, nret int, args ...glua.LValue) error {
	return v.callAfter(0, fn, nret, args...)
}

// callAfter is call with a budget of which spent instructions are used already;
// used counts them too.
func (v *vm) callAfter(spent int, fn *glua.LFunction, nret int, args ...glua.LValue) error {
	v.budget.reset(v.calls, v.callTime)
	v.budget.charge(spent)
	return v.protected(fn, nret, args)
}

func (v *vm) protected(fn *glua.LFunction, nret int, args []glua.LValue) (err error) {
	if v.broken {
		return errBroken
	}
	// PCall recovers a panic and then may panic itself, while it gathers the
	// stack trace: gopher-lua 1.1.2 does where a tail call overflows the registry.
	defer func() {
		if r := recover(); r != nil {
			v.broken = true
			err = &ScriptError{Text: oneLine(fmt.Sprint(r)), Panic: true}
		}
	}()
	L := v.L
	L.SetTop(0)
	L.Push(fn)
	for _, arg := range args {
		L.Push(arg)
	}
	if err := L.PCall(len(args), nret, nil); err != nil {
		return v.failed(err)
	}
	return nil
}

var errBroken = &ScriptError{Text: "the script engine has to be restarted", Panic: true}

func (v *vm) failed(err error) error {
	e := scriptError(err)
	e.Budget = v.budget.exhausted() && !e.Panic
	v.broken = v.broken || e.Panic
	v.L.SetTop(0)
	return e
}

// used is how many instructions the last call used.
func (v *vm) used() int { return v.budget.used() }

// charge counts n instructions against the running call and raises the error of
// an exhausted budget. Built-ins charge before they work.
func (v *vm) charge(n int) {
	if !v.budget.charge(n) {
		v.L.RaiseError("%s", v.budget.Err())
	}
}

// chargeBytes charges for work on n bytes.
func (v *vm) chargeBytes(n int) { v.charge(1 + n/bytesPerInstruction) }

// makeRoom charges for a string of n bytes and raises an error when that is
// longer than a string may be.
func (v *vm) makeRoom(n int) {
	if n > maxString || n < 0 {
		v.L.RaiseError("string of more than %d bytes", maxString)
	}
	v.chargeBytes(n)
}

// where is the place in the script that called the running built-in, such as
// "main.lua:12", or "" where there is none.
func (v *vm) where() string {
	for level := 1; ; level++ {
		if _, ok := v.L.GetStack(level); !ok {
			return ""
		}
		if pos := strings.TrimSuffix(v.L.Where(level), ":"); isPosition(pos) {
			return pos
		}
	}
}

// rethrow passes on an error that must not be caught by a script: an exhausted
// budget, or a panic of Go code.
func (v *vm) rethrow(err error) {
	var api *glua.ApiError
	if errors.As(err, &api) && (v.budget.exhausted() || api.Type == glua.ApiErrorPanic) {
		panic(api)
	}
}
