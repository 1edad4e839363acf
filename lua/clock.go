package lua

import (
	"strconv"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// clock is the os library: what tells the time, and nothing else of it.
func (v *vm) clock() functions {
	return functions{"clock": v.osClock, "date": v.osDate, "time": v.osTime}
}

// osClock returns the seconds since the VM was made.
func (v *vm) osClock(L *glua.LState) int {
	L.Push(glua.LNumber(v.now().Sub(v.started).Seconds()))
	return 1
}

// osTime returns the Unix time in seconds, of now or of a table of time in the clock's zone.
func (v *vm) osTime(L *glua.LState) int {
	at := v.now()
	if L.Get(1) != glua.LNil {
		t := L.CheckTable(1)
		field := func(name string, otherwise int) int {
			n, ok := t.RawGetString(name).(glua.LNumber)
			switch {
			case !ok && otherwise < 0:
				L.RaiseError("field '%s' missing in date table", name)
			case !ok:
				return otherwise
			case !(n > -1e6 && n < 1e6):
				L.RaiseError("field '%s' is out of range", name)
			}
			return int(n)
		}
		at = time.Date(field("year", -1), time.Month(field("month", -1)), field("day", -1),
			field("hour", 12), field("min", 0), field("sec", 0), 0, at.Location())
	}
	L.Push(glua.LNumber(at.Unix()))
	return 1
}

// maxDateFormat bounds the format of os.date, in bytes.
const maxDateFormat = 256

// osDate formats a time: os.date(format, unix seconds). A format that begins
// with ! means UTC; *t makes a table.
func (v *vm) osDate(L *glua.LState) int {
	format := L.OptString(1, "%c")
	if len(format) > maxDateFormat {
		L.ArgError(1, "format too long")
	}
	at := v.now()
	if L.Get(2) != glua.LNil {
		seconds := L.CheckNumber(2)
		if !(seconds > -1e11 && seconds < 1e12) {
			L.ArgError(2, "time out of range")
		}
		at = time.Unix(int64(seconds), 0).In(at.Location())
	}
	if after, utc := strings.CutPrefix(format, "!"); utc {
		format, at = after, at.UTC()
	}
	if strings.HasPrefix(format, "*t") {
		L.Push(v.dateTable(at))
		return 1
	}
	v.chargeBytes(len(format) * bytesPerInstruction)
	out := make([]byte, 0, 64)
	for {
		mark := strings.IndexByte(format, '%')
		if mark < 0 {
			break
		}
		out = append(out, format[:mark]...)
		if mark == len(format)-1 {
			L.ArgError(1, "invalid conversion specifier '%'")
		}
		var known bool
		if out, known = appendDate(out, at, format[mark+1]); !known {
			L.ArgError(1, "invalid conversion specifier '%"+format[mark+1:mark+2]+"'")
		}
		format = format[mark+2:]
	}
	L.Push(luaString(append(out, format...)))
	return 1
}

func (v *vm) dateTable(at time.Time) *glua.LTable {
	t := v.L.CreateTable(0, 9)
	set := func(name string, n int) { t.RawSetString(name, glua.LNumber(n)) } // always in this order
	set("year", at.Year())
	set("month", int(at.Month()))
	set("day", at.Day())
	set("hour", at.Hour())
	set("min", at.Minute())
	set("sec", at.Second())
	set("wday", int(at.Weekday())+1)
	set("yday", at.YearDay())
	t.RawSetString("isdst", glua.LBool(at.IsDST()))
	return t
}

// layouts are the conversions that Go's time package has a layout for.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006",
	'd': "02", 'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'h': "Jan", 'H': "15", 'I': "03",
	'j': "002", 'm': "01", 'M': "04", 'p': "PM", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05",
	'T': "15:04:05", 'x': "01/02/06", 'X': "15:04:05", 'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
}

// appendDate appends one conversion of strftime and reports whether it knows it.
func appendDate(out []byte, at time.Time, conversion byte) ([]byte, bool) {
	if layout, ok := layouts[conversion]; ok {
		return at.AppendFormat(out, layout), true
	}
	weekday, yearday := int(at.Weekday()), at.YearDay()-1
	switch conversion {
	case 'w':
		return strconv.AppendInt(out, int64(weekday), 10), true
	case 'U': // weeks that begin on Sunday
		return appendTwo(out, (yearday+7-weekday)/7), true
	case 'W': // weeks that begin on Monday
		return appendTwo(out, (yearday+7-(weekday+6)%7)/7), true
	case '%':
		return append(out, '%'), true
	case 'n':
		return append(out, '\n'), true
	case 't':
		return append(out, '\t'), true
	}
	return out, false
}

func appendTwo(out []byte, n int) []byte { return append(out, byte('0'+n/10), byte('0'+n%10)) }
