package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/stratix-gateway/stratix/core/gateway"
	corejournal "github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

type logVerifyCmd struct {
	logFolder
}

// Help is shown by stratix log verify --help.
func (logVerifyCmd) Help() string {
	return `Reads every record of the log and checks it. If all is well it prints one line and exits with 0. Else it names each
damage, the records around it, and what to do, and exits with 1. Damage that a start of the gateway has copied to the
folder quarantine is named, and is no reason for 1: all is done about it. A write at the very end that was cut short is
named and is no damage: a start of the gateway cuts it off.

Examples:
  stratix log verify
  stratix log verify --data /var/lib/stratix || page-somebody`
}

func (c *logVerifyCmd) Run() error {
	found, err := c.read()
	if err != nil {
		return err
	}
	if len(found.flaws) > 0 {
		// A write of a running gateway that is met half done looks like damage.
		again, err := c.read()
		if err != nil {
			return err
		}
		again.flaws = slices.DeleteFunc(again.flaws, func(f flaw) bool {
			return !slices.ContainsFunc(found.flaws, f.same)
		})
		found = again
	}
	for i := range found.flaws {
		if f := &found.flaws[i]; !f.unknown {
			f.copy, f.aside = corejournal.SetAside(gateway.LogDir(c.Data), corejournal.OS(), &f.damage)
		}
	}
	list, err := c.segments()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	found.print(out, neededFrom(list))
	if err := out.Flush(); err != nil {
		return err
	}
	if n := found.open(); n > 0 {
		return fmt.Errorf("the log is damaged in %d place(s); %d records in %d segments are intact", n, found.report.Records-found.unknown, found.report.Segments)
	}
	return nil
}

// findings is what a reading of the log found.
type findings struct {
	report  corejournal.Report
	flaws   []flaw
	torn    []flaw
	unknown uint64 // intact frames that are no records
}

// flaw is a place of the log that cannot be read, and what is around it.
type flaw struct {
	damage        corejournal.Damage
	unknown       bool   // the bytes are intact, but they are no record
	before, after string // the last good record, and the next; "" for none
	copy          string // the file in the folder quarantine; "" for none
	aside         bool   // it holds these bytes
}

func (f flaw) same(g flaw) bool {
	return f.damage.File == g.damage.File && f.damage.Offset == g.damage.Offset && f.damage.Length == g.damage.Length
}

// open is how many places are damaged that no start of the gateway has met.
func (found *findings) open() (n int) {
	for _, f := range found.flaws {
		if !f.aside {
			n++
		}
	}
	return n
}

// read reads the log.
func (c *logVerifyCmd) read() (*findings, error) {
	var found *findings
	var known *accounts
	var rec record.Record
	var good corejournal.Entry // the last record; its bytes are last
	var last []byte
	var files map[uint32]string
	begin := func() {
		found, known, good, files = &findings{}, newAccounts(), corejournal.Entry{}, map[uint32]string{}
	}
	before := func() string {
		if good.Record == nil || !rec.Read(good.Record) {
			return ""
		}
		line := lineOf(good, &rec, known)
		return line.around()
	}
	report, err := c.scan(begin, func(e corejournal.Entry) error {
		switch {
		case e.Torn:
			found.torn = append(found.torn, flaw{damage: *e.Damage, before: before()})
			return nil
		case e.Damage != nil:
			found.flaws = append(found.flaws, flaw{damage: *e.Damage, before: before()})
			return nil
		case !rec.Read(e.Record):
			found.unknown++
			found.flaws = append(found.flaws, flaw{unknown: true, damage: c.notRecord(e, files), before: before()})
			return nil
		}
		known.record(e.At, &rec)
		line := lineOf(e, &rec, known)
		for i := len(found.flaws) - 1; i >= 0 && found.flaws[i].after == ""; i-- {
			found.flaws[i].after = line.around()
		}
		last = append(last[:0], e.Record...)
		good = e
		good.Record = last
		return nil
	})
	if err != nil {
		return nil, err
	}
	found.report = report
	return found, nil
}

// notRecord is the place of an intact frame that is no record.
func (c *logVerifyCmd) notRecord(e corejournal.Entry, files map[uint32]string) corejournal.Damage {
	if len(files) == 0 {
		list, _ := c.segments() // without it the number has to do
		for _, s := range list {
			files[s.Number] = s.Path
		}
	}
	file, ok := files[e.At.Segment]
	if !ok {
		file = fmt.Sprintf("segment %08d", e.At.Segment)
	}
	return corejournal.Damage{
		Segment: e.At.Segment, File: file, Offset: int64(e.At.Offset), Length: int64(len(e.Record)),
		Reason: "no record that this version knows",
	}
}

// around is the line as the neighbour of a damage.
func (l *logLine) around() string {
	if l.rec.Kind == record.Message { // its payload does not matter
		l.rec.Letter.Data = nil
	}
	return fmt.Sprintf("%s %s %s", placeText(l.at), l.kind(), l.what(false))
}

// neededFrom is the first segment that a recovery reads.
func neededFrom(list []corejournal.Segment) uint32 {
	for _, s := range slices.Backward(list) {
		if !s.Broken {
			return s.Needed
		}
	}
	return 0
}

// print says what was found. needed is the first segment that a recovery reads.
func (found *findings) print(out io.Writer, needed uint32) {
	for _, f := range found.flaws {
		f.print(out, needed)
	}
	for _, f := range found.torn {
		d := &f.damage
		fmt.Fprintf(out, "torn: %s: offset %d: %s of %d bytes; this is no damage: a running gateway completes it, else the next start cuts it off\n",
			d.File, d.Offset, d.Reason, d.Length)
	}
	if found.open() > 0 {
		return
	}
	fmt.Fprintf(out, "ok: %d records in %d segments, %d bytes", found.report.Records, found.report.Segments, found.bytes())
	if n := len(found.flaws); n > 0 {
		fmt.Fprintf(out, "; %d damaged place(s), in quarantine", n)
	}
	fmt.Fprintln(out)
}

// bytes is how many there are, as stratix log list says it.
func (found *findings) bytes() int64 {
	return found.report.Bytes + headerBytes*int64(found.report.Segments)
}

func (f *flaw) print(out io.Writer, needed uint32) {
	d := &f.damage
	length := fmt.Sprintf("%d bytes", d.Length)
	if d.Length == 0 {
		length = "length unknown"
	}
	fmt.Fprintf(out, "damage: %s: offset %d, %s: %s\n", d.File, d.Offset, length, d.Reason)
	fmt.Fprintf(out, "  before: %s\n  after:  %s\n  do:     %s\n", orNone(f.before), orNone(f.after), f.advice(needed))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (f *flaw) advice(needed uint32) string {
	switch d := &f.damage; {
	case f.unknown:
		return "a newer version of stratix may have written it: start that one on the folder; this one leaves the record out"
	case f.aside:
		return fmt.Sprintf("already in quarantine/%s; nothing more to do", filepath.Base(f.copy))
	case d.Segment < needed:
		return "nothing; no message in it waits, and it is deleted when its retention is over. Look after the disk"
	case d.Length == 0:
		return "put the file back if there is a copy; else restart the gateway: it tells the recipients which messages are lost (cause damaged)"
	case f.copy != "":
		return fmt.Sprintf("the copy in %s is of other bytes: move it away and restart the gateway, which copies them anew. Look after the disk", f.copy)
	default:
		return "restart the gateway: it copies these bytes to the folder quarantine beside the file, reads on behind them, " +
			"and tells the recipients which messages are lost (cause damaged). Look after the disk"
	}
}
