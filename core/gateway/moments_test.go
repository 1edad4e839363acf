package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/reload"
)

// What operators do in bad moments.

func TestAGatewayEndsWhileItsScriptsAreOnTrial(t *testing.T) {
	r := serve(t, made{Name: "old"}, nil)
	if err := r.save(made{Name: "new"}); err != nil {
		t.Fatal(err)
	}
	r.stop() // says it, if it does not
}

func TestWhatReplacesScriptsOnTrialIsMeasuredByWhatHasProvedItself(t *testing.T) {
	r := serve(t, made{Name: "good", Messages: 1000}, nil)
	// Too few messages for a verdict on the first, and then it is too late.
	for _, m := range []made{{Name: "bad", Messages: 9, Failed: 9}, {Name: "worse", Messages: 20, Failed: 20}} {
		if err := r.save(m); err != nil {
			t.Fatal(err)
		}
	}
	r.wait("it to be taken back", func() bool { return r.scripts.report().last.Result == resultTakenBack })
	if name := r.live(); name != "good" {
		t.Errorf("%s scripts have come back", name)
	}
}

// slowTests makes the tests of the scripts that are called so wait until release
// is closed, or they are told to end; begun is sent to when they begin.
func slowTests(name string) (test Tester, begun, release chan struct{}) {
	begun, release = make(chan struct{}, 100), make(chan struct{})
	return func(ctx context.Context, snap reload.Snapshot) (int, error) {
		if !strings.Contains(string(snap.Files[reload.Main]), name) {
			return 0, nil
		}
		begun <- struct{}{}
		select {
		case <-release:
			return 1, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}, begun, release
}

func TestAnOperatorTakesBackScriptsWhileASaveIsTested(t *testing.T) {
	test, begun, release := slowTests("mended")
	r := serve(t, made{Name: "good"}, func(o *Options) { o.Test = test })
	if err := r.save(made{Name: "bad"}); err != nil {
		t.Fatal(err)
	}
	saved := make(chan error, 1)
	go func() { saved <- r.save(made{Name: "mended"}) }()
	<-begun
	taken := make(chan error, 1)
	go func() { taken <- r.RollBack("") }()
	select {
	case err := <-taken:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Error("the rollback waits for the tests of a save")
	}
	close(release)
	if err := <-saved; err == nil || !strings.Contains(err.Error(), "rolled back meanwhile") {
		t.Errorf("the save that was in the gate ended with %v", err)
	}
	if name := r.live(); name != "good" {
		t.Errorf("%s scripts are live", name)
	}
}

func TestFailingScriptsAreTakenBackWhileASaveIsTested(t *testing.T) {
	test, begun, release := slowTests("mended")
	r := serve(t, made{Name: "good", Messages: 1000}, func(o *Options) { o.Test = test })
	if err := r.save(made{Name: "bad", Messages: 20, Failed: 9}); err != nil {
		t.Fatal(err)
	}
	saved := make(chan error, 1)
	go func() { saved <- r.save(made{Name: "mended"}) }()
	<-begun
	r.fail(1)
	r.wait("the failing scripts to be taken back", func() bool { return r.scripts.report().last.Result == resultTakenBack })
	if name := r.live(); name != "good" {
		t.Errorf("%s scripts are live", name)
	}
	close(release)
	if err := <-saved; err != nil {
		t.Errorf("the save that was in the gate ended with %v", err)
	}
	r.wait("the save to be live", func() bool { return r.live() == "mended" })
}

func TestAGatewayEndsWhileASaveIsTested(t *testing.T) {
	test, begun, _ := slowTests("slow")
	r := serve(t, made{Name: "good"}, func(o *Options) { o.Test = test })
	write(t, r.opt().Scripts, made{Name: "slow"})
	<-begun // by the watcher
	r.stop()
	if strings.Contains(r.log.String(), "scripts rejected") {
		t.Error("the log blames the scripts")
	}
}

func TestACanaryThatNobodyHadIsOnTrialWhenItIsLive(t *testing.T) {
	r := serve(t, made{Name: "good", Messages: 1000}, func(o *Options) {
		o.Canary, o.RollbackWindow = 0.00001, 2*time.Second
	})
	if err := r.save(made{Name: "bad"}); err != nil {
		t.Fatal(err)
	}
	r.wait("the canary to be live", func() bool { return r.live() == "bad" })
	r.fail(20)
	r.wait("it to be taken back", func() bool { return r.scripts.report().last.Result == resultTakenBack })
	if name := r.live(); name != "good" {
		t.Errorf("%s scripts are live", name)
	}
}

func TestWhatIsLiveCanBeReadAtEveryMoment(t *testing.T) {
	data := t.TempDir()
	r := serve(t, made{Name: "0"}, func(o *Options) { o.Data = data })
	stop, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := r.generationFiles("live"); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for i := range 40 {
		if err := r.save(made{Name: fmt.Sprint(i % 8)}); err != nil { // some were live before
			t.Error(err)
		}
	}
	close(stop)
	<-read
}

func TestACanaryKeepsItsWarningsAndIsCountedOnce(t *testing.T) {
	r := serve(t, made{Name: "old"}, func(o *Options) { o.Canary, o.RollbackWindow = 0.5, 300*time.Millisecond })
	if err := r.save(made{Name: "new", Warnings: []string{"main.lua:1: odd"}}); err != nil {
		t.Fatal(err)
	}
	r.wait("the canary to be live", func() bool { return r.live() == "new" })
	if st := r.status(); len(st.Scripts.Warnings) != 1 {
		t.Errorf("the warnings are %q", st.Scripts.Warnings)
	}
	if loads := r.scripts.report().steps["load"].passed; loads != 2 {
		t.Errorf("%d generations were loaded, of two", loads)
	}
}

func TestARestartServesWhatWasLiveThoughItsTestsFailToday(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	fails := false
	again := func(o *Options) {
		o.Scripts, o.Data = dir, data
		o.Test = func(context.Context, reload.Snapshot) (int, error) {
			if fails {
				return 0, errors.New("main_test.lua:1: test_it: too slow")
			}
			return 1, nil
		}
	}
	r := serve(t, made{Name: "old"}, again)
	if err := r.save(made{Name: "new"}); err != nil {
		t.Fatal(err)
	}
	r.stop()
	fails = true
	if r = serve(t, made{Name: "new"}, again); r.live() != "new" {
		t.Errorf("%s scripts are live", r.live())
	}
	r.stop()
	// The last good one stands in for a broken folder whether its tests pass or not.
	if r = serve(t, made{Name: "broken"}, again); r.live() != "new" {
		t.Errorf("%s scripts are live", r.live())
	}
	if st := r.status(); !st.Scripts.LastGood {
		t.Error("the status does not say that it stands in")
	}
}

func TestOfManyProblemsTheFirstAreTold(t *testing.T) {
	many := make([]string, 5000)
	for i := range many {
		many[i] = fmt.Sprintf("main_test.lua:%d: test_it: no", i+1)
	}
	r := serve(t, made{Name: "good"}, func(o *Options) {
		o.Test = func(_ context.Context, snap reload.Snapshot) (int, error) {
			if strings.Contains(string(snap.Files[reload.Main]), "bad") {
				return 0, errors.New(strings.Join(many, "\n"))
			}
			return 1, nil
		}
	})
	if err := r.save(made{Name: "bad"}); err == nil {
		t.Fatal("it is live")
	}
	problems := r.status().Scripts.Last.Problems
	if len(problems) != maxProblems+1 || problems[0] != many[0] || !strings.Contains(problems[maxProblems], "4900 more") {
		t.Errorf("%d problems are told, the last is %q", len(problems), problems[len(problems)-1])
	}
}

func TestATrialWithoutMessagesProvesNothing(t *testing.T) {
	f := func(messages uint64, want string) {
		t.Helper()
		r := serve(t, made{Name: "old"}, func(o *Options) { o.RollbackWindow = 50 * time.Millisecond })
		if err := r.save(made{Name: "new", Messages: messages}); err != nil {
			t.Fatal(err)
		}
		r.wait(want, func() bool { return strings.Contains(r.log.String(), want) })
		r.stop()
	}
	f(0, "proves nothing")
	f(1, "have proved themselves")
}
