// Package kv is the state that scripts share: values under keys, with an expiry
// if they like, for all shards and generations of one process. It is in memory
// only and bounded; what has not expired is never evicted.
package kv

// Kind says what a Value is.
type Kind uint8

// The kinds of values.
const (
	String Kind = iota + 1
	Number
	Bool
)

// Value is what stands under a key. The zero Value is none.
type Value struct {
	Kind Kind
	// Num is the number; of a boolean it is 1 for true and 0 for false.
	Num float64
	Str string
}

// Text is a string as a Value. The store keeps s: it must own its bytes.
func Text(s string) Value { return Value{Kind: String, Str: s} }

// Count is a number as a Value.
func Count(n float64) Value { return Value{Kind: Number, Num: n} }

// Flag is a boolean as a Value.
func Flag(b bool) Value {
	if b {
		return Value{Kind: Bool, Num: 1}
	}
	return Value{Kind: Bool}
}

// String names a kind as scripts do.
func (k Kind) String() string {
	switch k {
	case String:
		return "string"
	case Number:
		return "number"
	case Bool:
		return "boolean"
	}
	return "nil"
}
