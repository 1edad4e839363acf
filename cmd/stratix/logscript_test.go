package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/gateway"
	corejournal "github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// logCommands are what the scripts make logs with.
//
//	makelog DATA FILE   writes a log of the records in FILE, see recordOf;
//	                    a line "segment" begins the next segment
//	flip FILE TEXT      flips a bit of the first TEXT in FILE
//	tear FILE TEXT      cuts FILE off within the last TEXT in it
func logCommands() map[string]func() {
	command := func(f func(a, b string) error) func() {
		return func() {
			if len(os.Args) != 3 {
				os.Exit(fail(fmt.Errorf("%s has %d arguments, not 2", os.Args[0], len(os.Args)-1)))
			}
			if err := f(os.Args[1], os.Args[2]); err != nil {
				os.Exit(fail(err))
			}
		}
	}
	return map[string]func(){
		"makelog": command(makeLog),
		"flip": command(func(file, text string) error {
			return change(file, text, func(b []byte) []byte {
				b[bytes.Index(b, []byte(text))] ^= 1
				return b
			})
		}),
		"tear": command(func(file, text string) error {
			return change(file, text, func(b []byte) []byte { return b[:bytes.LastIndex(b, []byte(text))+1] })
		}),
	}
}

func change(file, text string, f func([]byte) []byte) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Contains(b, []byte(text)) {
		return fmt.Errorf("%s: there is no %q", file, text)
	}
	return os.WriteFile(file, f(b), 0o600)
}

func makeLog(data, script string) error {
	text, err := os.ReadFile(script)
	if err != nil {
		return err
	}
	for segment := range strings.SplitSeq(string(text), "segment\n") {
		if err := appendSegment(data, segment); err != nil {
			return err
		}
	}
	return nil
}

// appendSegment writes one segment, with a commit for each line.
func appendSegment(data, lines string) error {
	j, err := corejournal.Open(corejournal.Options{
		Dir: gateway.LogDir(data), Settings: core.DefaultDiskSettings(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer j.Close(context.Background())
	if _, err := j.Replay(func(corejournal.Position, int64, []byte) error { return nil }, nil); err != nil {
		return err
	}
	j.Start()
	for line := range strings.Lines(lines) {
		rec, err := recordOf(strings.Fields(line))
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		done := make(chan struct{})
		b := corejournal.Batch{Buf: corejournal.AppendRecord(nil, rec), Done: func(*corejournal.Batch) { close(done) }}
		j.Submit(&b)
		if <-done; b.Err != nil {
			return b.Err
		}
	}
	return nil
}

// recordOf makes a record of words:
//
//	message SENDER ID DATA CLIENT:EPOCH:SEQ...
//	ack EPOCH UPTO FROM-TO...
//	gone EPOCH FROM-TO...
//	session CLIENT EPOCH SEQ UPTO
//	end EPOCH
//	run begins|ended
//	other
func recordOf(words []string) ([]byte, error) {
	var err error
	number := func(s string) uint64 {
		n, e := strconv.ParseUint(s, 10, 64)
		if e != nil {
			err = e
		}
		return n
	}
	ranges := func(words []string) (list []record.Range) {
		for _, w := range words {
			from, to, _ := strings.Cut(w, "-")
			list = append(list, record.Range{From: number(from), To: number(to)})
		}
		return list
	}
	w := append(words, make([]string, 6)...)[:max(len(words), 6)]
	switch w[0] {
	case "message":
		m := core.Message{
			From: &core.Session{ID: w[1]}, ID: []byte(strconv.Quote(w[2])), Data: []byte(w[3]),
			Time: 1_790_000_000_000, Priority: 5, Generation: 3,
		}
		var l record.Letter
		record.ReadLetter(record.AppendLetter(nil, &m, 3600), &l)
		b := record.AppendMessage(nil, l.From, l.Content, len(words)-4)
		for _, to := range words[4:] {
			name, rest, _ := strings.Cut(to, ":")
			epoch, seq, _ := strings.Cut(rest, ":")
			b = record.AppendRecipient(b, name, number(epoch), number(seq))
		}
		return b, err
	case "ack":
		return record.AppendAck(nil, number(w[1]), number(w[2]), ranges(words[3:])), err
	case "gone":
		return record.AppendGone(nil, number(w[1]), record.Expired, ranges(words[2:])...), err
	case "session":
		return record.AppendSession(nil, &record.State{
			Name: w[1], Epoch: number(w[2]), Seq: number(w[3]), Upto: number(w[4]), Seen: 1_790_000_000,
		}), err
	case "end":
		return record.AppendEnd(nil, number(w[1])), err
	case "run":
		return record.AppendRun(nil, core.SyncCommit, w[1] == "ended"), nil
	case "other":
		return []byte("?"), nil
	}
	return nil, fmt.Errorf("no such record")
}
