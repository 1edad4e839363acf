package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	corejournal "github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

type logListCmd struct {
	logFolder
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help is shown by stratix log list --help.
func (logListCmd) Help() string {
	return `Reads the whole log and prints a line for each segment, and one for all.

Columns: bytes that are used; records by kind; messages that wait for somebody, and for how many recipients in all
(deliveries), counted where the message stands last if it was copied forward; when the segment was made, and sealed
by the next one; the times of its first and last commit; what of it cannot be read.

Examples:
  stratix log list
  stratix log list --data /var/lib/stratix --json`
}

func (c *logListCmd) Run() error {
	sum, err := c.sumUp()
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(sum)
	}
	return sum.table(os.Stdout)
}

// logSums is what is in a log.
type logSums struct {
	Segments []*segmentSums `json:"segments"`
	Total    segmentSums    `json:"total"`
}

// segmentSums is what is in one segment, or in all.
type segmentSums struct {
	Segment      uint32            `json:"segment,omitempty"`
	File         string            `json:"file,omitempty"`
	Bytes        int64             `json:"bytes"`
	Records      map[string]uint64 `json:"records"`
	Unknown      uint64            `json:"unknownRecords,omitempty"` // of no kind that there is
	Pending      uint64            `json:"pending"`                  // messages
	Deliveries   uint64            `json:"deliveries"`               // that these wait for
	Created      string            `json:"created,omitempty"`
	Sealed       string            `json:"sealed,omitempty"`
	First        string            `json:"first,omitempty"` // commit
	Last         string            `json:"last,omitempty"`
	Torn         int64             `json:"tornBytes,omitempty"`
	Damages      int               `json:"damages,omitempty"`
	DamagedBytes int64             `json:"damagedBytes,omitempty"`
	Missing      bool              `json:"missing,omitempty"`

	first, last int64 // milliseconds since 1970
	end         int64 // of the last thing that was found in it
}

// headerBytes is what a segment has in front of its first frame, and a frame in
// front of its payload.
const headerBytes, frameBytes = 64, 8

// sumUp reads the log.
func (c *logListCmd) sumUp() (*logSums, error) {
	var sum *logSums
	var segments map[uint32]*segmentSums
	var known *accounts
	var rec record.Record
	of := func(number uint32) *segmentSums {
		s := segments[number]
		if s == nil {
			s = newSegmentSums()
			s.Segment, s.end = number, headerBytes
			segments[number] = s
			sum.Segments = append(sum.Segments, s)
		}
		return s
	}
	begin := func() { sum, segments, known = &logSums{}, map[uint32]*segmentSums{}, newAccounts() }
	_, err := c.scan(begin, func(e corejournal.Entry) error {
		if d := e.Damage; d != nil {
			of(d.Segment).damage(d, e.Torn)
			return nil
		}
		s := of(e.At.Segment)
		s.span(e.Millis)
		s.end = int64(e.At.Offset) + frameBytes + int64(len(e.Record)+7)&^7
		if !rec.Read(e.Record) {
			s.Unknown++
			return nil
		}
		s.Records[kindNames[kindIndex(rec.Kind)]]++
		known.record(e.At, &rec)
		return nil
	})
	if err != nil {
		return nil, err
	}
	list, err := c.segments()
	if err != nil {
		return nil, err
	}
	sum.complete(list, of, known.pending())
	return sum, nil
}

func newSegmentSums() *segmentSums {
	s := &segmentSums{Records: map[string]uint64{}}
	for _, kind := range kindNames {
		s.Records[kind] = 0
	}
	return s
}

// span widens the time of s to a commit at millis.
func (s *segmentSums) span(millis int64) {
	if millis != 0 && (s.first == 0 || millis < s.first) {
		s.first = millis
	}
	s.last = max(s.last, millis)
}

func (s *segmentSums) damage(d *corejournal.Damage, torn bool) {
	switch {
	case torn:
		s.Torn += d.Length
	case d.Length == 0:
		s.Damages++
		s.Missing = true
	default:
		s.Damages++
		s.DamagedBytes += d.Length
		s.end = max(s.end, d.Offset+d.Length)
	}
}

// complete adds what the headers say, which were read after the records, and the
// totals.
func (sum *logSums) complete(list []corejournal.Segment, of func(uint32) *segmentSums, waiting map[uint32]pending) {
	for _, seg := range list {
		s := of(seg.Number)
		s.File, s.Bytes = filepath.Base(seg.Path), seg.Bytes
		if seg.Sealed.IsZero() { // its file is longer than what is in it
			s.Bytes = min(s.end, seg.Bytes)
		} else {
			s.Sealed = timeText(seg.Sealed.UnixMilli())
		}
		if !seg.Created.IsZero() {
			s.Created = timeText(seg.Created.UnixMilli())
		}
	}
	sum.Total = *newSegmentSums()
	total := &sum.Total
	for _, s := range sum.Segments {
		n := waiting[s.Segment]
		s.Pending, s.Deliveries = n.messages, n.deliveries
		s.First, s.Last = spanText(s.first), spanText(s.last)
		total.Bytes += s.Bytes
		for kind, n := range s.Records {
			total.Records[kind] += n
		}
		total.Unknown += s.Unknown
		total.Pending += s.Pending
		total.Deliveries += s.Deliveries
		total.Torn += s.Torn
		total.Damages += s.Damages
		total.DamagedBytes += s.DamagedBytes
		total.span(s.first)
		total.span(s.last)
	}
	total.First, total.Last = spanText(total.first), spanText(total.last)
}

func spanText(millis int64) string {
	if millis == 0 {
		return ""
	}
	return timeText(millis)
}

func (sum *logSums) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "segment\tbytes\t%s\tpending\tdeliveries\tcreated\tsealed\tfirst\tlast\tdamage\n", strings.Join(kindNames[:], "\t"))
	for _, s := range sum.Segments {
		s.row(w, fmt.Sprintf("%08d", s.Segment))
	}
	sum.Total.row(w, fmt.Sprintf("total %d", len(sum.Segments)))
	return w.Flush()
}

func (s *segmentSums) row(w io.Writer, name string) {
	fmt.Fprintf(w, "%s\t%d", name, s.Bytes)
	for _, kind := range kindNames {
		fmt.Fprintf(w, "\t%d", s.Records[kind])
	}
	fmt.Fprintf(w, "\t%d\t%d", s.Pending, s.Deliveries)
	for _, t := range []string{s.Created, s.Sealed, s.First, s.Last} {
		if t == "" {
			t = "-"
		}
		fmt.Fprintf(w, "\t%s", t)
	}
	fmt.Fprintf(w, "\t%s\n", s.damageText())
}

func (s *segmentSums) damageText() string {
	var parts []string
	if s.Missing {
		parts = append(parts, "missing")
	} else if s.Damages > 0 {
		parts = append(parts, fmt.Sprintf("%d place(s), %d bytes", s.Damages, s.DamagedBytes))
	}
	if s.Torn > 0 {
		parts = append(parts, fmt.Sprintf("unfinished write, %d bytes", s.Torn))
	}
	if s.Unknown > 0 {
		parts = append(parts, fmt.Sprintf("%d unknown record(s)", s.Unknown))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, "; ")
}
