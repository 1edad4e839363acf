package main

import (
	"bufio"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/reload"
)

func TestTestsRunAgainAfterEachSave(t *testing.T) {
	dir := t.TempDir()
	tests := filepath.Join(dir, "main_test.lua")
	save(t, filepath.Join(dir, "main.lua"), "pipeline {}")
	save(t, tests, "function test_it(t) t:eq(1, 2) end")
	snap, err := reload.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := testCmd{Dir: dir, Format: "text", Watch: true, Verbose: true, Budget: 100_000, TestBudget: 10_000_000}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- c.watch(ctx, snap, out)
		out.Close()
	}()
	lines := bufio.NewScanner(in)
	await := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("the output ended without %q", want)
	}
	await("FAIL main_test.lua:1: test_it")
	await("watching ")
	save(t, tests, "function test_it(t) t:eq(2, 2) end")
	await("ok   main_test.lua:1: test_it")
	await("watching ")
	save(t, filepath.Join(dir, "main.lua"), "pipeline {")
	await("main.lua:1: syntax error")
	stop()
	go func() { _, _ = io.Copy(io.Discard, in) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("watch ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("watch does not end with its context")
	}
}
