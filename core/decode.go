package core

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Decode fills the struct that dst points to from c.Values, strictly. A field
// takes the key of its tag, `lua:"name"` or `lua:"name,required"`; a field
// without the tag is left alone, and so is one whose key is absent, which is
// how a default is given.
//
// Fields are of a string, bool, int, uint or float64 kind, time.Duration
// (written "30s" or "5m", never as a bare number), Bytes ("512MiB" or a number
// of bytes), []string, map[string]string, map[string]any or any. Durations and
// sizes are never negative. Maps and values of type any are those of c.Values,
// not copies. Decode panics when dst is anything else: that is a mistake in the
// plugin and not in a script.
//
// The error names every problem, one a line: unknown keys in alphabetical
// order, then the fields in the order of the struct.
func (c Config) Decode(dst any) error {
	fields := settingsOf(dst)
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	d := decoder{Config: c}
	for _, key := range slices.Sorted(maps.Keys(c.Values)) {
		if slices.Contains(keys, key) {
			continue
		}
		hint := ""
		if near := Nearest(key, keys); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		d.errs = append(d.errs, c.problem(key, fmt.Errorf("unknown key %q%s", key, hint)))
	}
	for _, f := range fields {
		if v, given := c.Values[f.key]; given {
			d.set(f, v)
		} else if f.required {
			d.errs = append(d.errs, c.problem("", fmt.Errorf("the key %q is missing: expected %s", f.key, expected(f.dst.Type()))))
		}
	}
	return errors.Join(d.errs...)
}

// field is one setting of a struct.
type field struct {
	key      string
	required bool
	dst      reflect.Value
}

func settingsOf(dst any) []field {
	p := reflect.ValueOf(dst)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("core: decode into %T: it is no pointer to a struct", dst))
	}
	s := p.Elem()
	var fields []field
	for i := range s.NumField() {
		tag, tagged := s.Type().Field(i).Tag.Lookup("lua")
		if !tagged {
			continue
		}
		key, option, _ := strings.Cut(tag, ",")
		f := field{key: key, required: option == "required", dst: s.Field(i)}
		if key == "" || option != "" && !f.required || !f.dst.CanSet() || expected(f.dst.Type()) == "" {
			panic(fmt.Sprintf("core: decode into %T: field %s: the tag or the type is not supported, or the field is not exported",
				dst, s.Type().Field(i).Name))
		}
		fields = append(fields, f)
	}
	return fields
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[Bytes]()
)

// expected describes what a field of type t takes; "" when t is not supported.
func expected(t reflect.Type) string {
	switch t {
	case durationType:
		return `a duration such as "30s" or "5m"`
	case bytesType:
		return `a size such as "512MiB" or a number of bytes`
	case reflect.TypeFor[[]string]():
		return "a list of strings"
	case reflect.TypeFor[map[string]string]():
		return "a table of strings"
	case reflect.TypeFor[map[string]any]():
		return "a table"
	case reflect.TypeFor[any]():
		return "a value"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		low, high := bounds(t)
		if t.Bits() < 64 {
			return fmt.Sprintf("a whole number from %.0f to %.0f", low, high)
		}
		if low == 0 {
			return "a whole number from 0 up"
		}
		return "a whole number"
	}
	return ""
}

// exact is the largest float64 up to which all whole numbers are exact.
const exact = 1 << 53

// bounds are the whole numbers that a field of the integer type t takes.
func bounds(t reflect.Type) (low, high float64) {
	bits := t.Bits()
	switch {
	case t.Kind() >= reflect.Uint && bits == 64:
		return 0, exact
	case t.Kind() >= reflect.Uint:
		return 0, math.Ldexp(1, bits) - 1
	case bits == 64:
		return -exact, exact
	}
	return -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1) - 1
}

// decoder gathers the problems of one table.
type decoder struct {
	Config
	errs []error
}

// set puts v into the field f or notes why it does not fit.
func (d *decoder) set(f field, v any) {
	t := f.dst.Type()
	mismatch := func() {
		d.errs = append(d.errs, d.Errorf(f.key, "expected %s, got %s", expected(t), describe(v)))
	}
	switch t {
	case durationType:
		d.setDuration(f, v)
		return
	case bytesType:
		d.setBytes(f, v)
		return
	case reflect.TypeFor[any]():
		f.dst.Set(reflect.ValueOf(&v).Elem())
		return
	}
	switch v := v.(type) {
	case string:
		if t.Kind() == reflect.String {
			f.dst.SetString(v)
			return
		}
	case bool:
		if t.Kind() == reflect.Bool {
			f.dst.SetBool(v)
			return
		}
	case float64:
		if setNumber(f.dst, v) {
			return
		}
	case []any:
		if t.Kind() == reflect.Slice {
			d.setList(f, v)
			return
		}
		if t.Kind() == reflect.Map && len(v) == 0 { // {} is both in Lua
			f.dst.Set(reflect.MakeMap(t))
			return
		}
	case map[string]any:
		switch {
		case t == reflect.TypeFor[map[string]any]():
			f.dst.Set(reflect.ValueOf(v))
			return
		case t.Kind() == reflect.Map:
			d.setTable(f, v)
			return
		case t.Kind() == reflect.Slice && len(v) == 0:
			f.dst.Set(reflect.ValueOf([]string{}))
			return
		}
	}
	mismatch()
}

// setNumber reports whether v fits into dst.
func setNumber(dst reflect.Value, v float64) bool {
	kind := dst.Kind()
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return false
	case kind == reflect.Float64:
		dst.SetFloat(v)
		return true
	case kind < reflect.Int || kind > reflect.Uint64 || v != math.Trunc(v):
		return false
	}
	if low, high := bounds(dst.Type()); v < low || v > high {
		return false
	}
	if kind >= reflect.Uint {
		dst.SetUint(uint64(v))
	} else {
		dst.SetInt(int64(v))
	}
	return true
}

func (d *decoder) setDuration(f field, v any) {
	s, text := v.(string)
	n, number := v.(float64)
	parsed, err := time.ParseDuration(s)
	switch {
	case text && err == nil && parsed >= 0:
		f.dst.SetInt(int64(parsed))
	case number && n > 0 && n == math.Trunc(n):
		d.errs = append(d.errs, d.Errorf(f.key, "expected %s, got %s: a duration names its unit; did you mean \"%.0fs\"?",
			expected(durationType), describe(v), n))
	default:
		d.errs = append(d.errs, d.Errorf(f.key, "expected %s, got %s", expected(durationType), describe(v)))
	}
}

func (d *decoder) setBytes(f field, v any) {
	switch v := v.(type) {
	case string:
		var b Bytes
		if err := b.UnmarshalText([]byte(v)); err != nil {
			d.errs = append(d.errs, d.Errorf(f.key, "%w", err))
			return
		}
		f.dst.SetInt(int64(b))
		return
	case float64:
		if v >= 0 && setNumber(f.dst, v) {
			return
		}
	}
	d.errs = append(d.errs, d.Errorf(f.key, "expected %s, got %s", expected(bytesType), describe(v)))
}

func (d *decoder) setList(f field, list []any) {
	out := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			d.errs = append(d.errs, d.Errorf(f.key, "expected a string at index %d, got %s", i+1, describe(v)))
		}
		out[i] = s
	}
	f.dst.Set(reflect.ValueOf(out))
}

func (d *decoder) setTable(f field, table map[string]any) {
	out := make(map[string]string, len(table))
	for _, key := range slices.Sorted(maps.Keys(table)) {
		s, ok := table[key].(string)
		if !ok {
			d.errs = append(d.errs, d.Errorf(f.key, "expected a string for %q, got %s", key, describe(table[key])))
		}
		out[key] = s
	}
	f.dst.Set(reflect.ValueOf(out))
}

// describe names a value in an error.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		if len(v) > 40 {
			return "a string of " + strconv.Itoa(len(v)) + " bytes"
		}
		return fmt.Sprintf("the string %q", v)
	case bool:
		return strconv.FormatBool(v)
	case float64:
		if math.Abs(v) < 1e15 {
			return "the number " + strconv.FormatFloat(v, 'f', -1, 64)
		}
		return "the number " + strconv.FormatFloat(v, 'g', -1, 64)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return fmt.Sprintf("a %T", v)
}
