package metric

import (
	"io"
	"math"
	"strconv"
	"strings"
)

// write adds the lines of series as Prometheus text.
func (v *values) write(w io.Writer, all []*Series) {
	var buf []byte
	for _, s := range all {
		if v.desc.Kind == Histogram {
			buf = v.appendHistogram(buf, s)
		} else {
			buf = v.appendLine(buf, s, "", "", s.sum())
		}
	}
	_, _ = w.Write(buf) // a buffer of the page
}

func (v *values) appendHistogram(buf []byte, s *Series) []byte {
	below, n := 0.0, len(v.desc.Buckets)
	for b := range n + 1 {
		for i := range s.cells {
			below += float64(s.cells[i].counts[b].Load())
		}
		le := "+Inf"
		if b < n {
			le = strconv.FormatFloat(v.desc.Buckets[b], 'g', -1, 64)
		}
		buf = v.appendLine(buf, s, "_bucket", le, below)
	}
	buf = v.appendLine(buf, s, "_sum", "", s.sum())
	return v.appendLine(buf, s, "_count", "", below)
}

func (v *values) appendLine(buf []byte, s *Series, end, le string, value float64) []byte {
	buf = append(append(append(buf, Prefix...), v.desc.Name...), end...)
	mark := byte('{')
	label := func(name, value string) {
		buf = append(buf, mark)
		buf = append(append(append(buf, name...), `="`...), labelText.Replace(value)...)
		buf = append(buf, '"')
		mark = ','
	}
	for i, l := range v.desc.Labels {
		label(l, s.labels[i])
	}
	if le != "" {
		label("le", le)
	}
	if mark == ',' {
		buf = append(buf, '}')
	}
	buf = append(buf, ' ')
	if value == math.Trunc(value) && math.Abs(value) < 1<<53 {
		buf = strconv.AppendInt(buf, int64(value), 10)
	} else {
		buf = strconv.AppendFloat(buf, value, 'g', -1, 64)
	}
	return append(buf, '\n')
}

// What Prometheus text escapes.
var (
	labelText = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	helpLine  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)

func helpText(help string) string { return strings.ToValidUTF8(helpLine.Replace(help), "\ufffd") }
