// Package words finds the words of a list in a text, in one pass however long
// the list is (Aho-Corasick).
//
// It is our own since none of the libraries read (2026-11) fits the way of a
// message: coregx/ahocorasick's leftmost-longest is the longest anywhere, and
// what it allocates for overlapping words has no bound; petar-dambovaliev's
// allocates each match, folds ASCII only, and takes bytes for letters;
// BobuSumisu's takes 2 KiB for each letter of the list; cloudflare's does not
// tell places.
package words

import (
	"unicode"
	"unicode/utf8"
)

// Options are how a list is matched.
type Options struct {
	// Case makes upper and lower case differ. Without it runes are compared by
	// Unicode's simple folding, as strings.EqualFold does.
	Case bool
	// Whole finds a word only where no letter, mark, digit or underscore stands
	// directly before or behind it.
	Whole bool
}

// Matcher is a compiled list. It is immutable, and any goroutine may use it.
type Matcher struct {
	options Options
	words   []string // as they were given, in the order of the automaton
	ascii   [utf8.RuneSelf]rune
	others  map[rune]rune
	nodes   []node
	edges   []edge // those of one node are together, in the order of their runes
	start   [utf8.RuneSelf]int32
}

// node is a state: the text ends with the beginning of a word.
type node struct {
	first, last int32 // its edges
	depth       int32 // runes
	fail        int32 // the longest other beginning that the text ends with
	word        int32 // the word that ends here, or -1
	shorter     int32 // the next node on the way of fail with a word, or 0
}

type edge struct {
	r  rune // folded
	to int32
}

// no stands for a rune that is in no word.
const no rune = -1

// Match is a word that was found.
type Match struct {
	// Word is as it stands in the list.
	Word string
	// Start and End are bytes of the text.
	Start, End int
}

// Find returns the first word at or behind the byte from: of those that begin
// first the longest. work counts the runes and the candidates that were looked at,
// for a caller that bounds it.
func (m *Matcher) Find(text string, from int) (found Match, ok bool, work int) {
	state, runes := int32(0), 0 // read so far
	best, bestRune, visited := Match{}, 0, 0
	for i := from; i < len(text); {
		b := text[i]
		if state == 0 && b < utf8.RuneSelf && !ok {
			state = m.start[b]
			i++
		} else if b < utf8.RuneSelf {
			state = m.step(state, m.ascii[b])
			i++
		} else {
			r, size := utf8.DecodeRuneInString(text[i:])
			state = m.step(state, m.other(r, size))
			i += size
		}
		runes++
		at := &m.nodes[state]
		if ok && runes-int(at.depth) > bestRune {
			return best, true, runes + visited // what begins at best or before has ended
		}
		if at.word < 0 && at.shorter == 0 || m.options.Whole && !borderBefore(text, i) {
			continue
		}
		for n := state; n > 0; n = m.nodes[n].shorter {
			w := &m.nodes[n]
			if w.word < 0 {
				continue
			}
			visited++
			first := runes - int(w.depth)
			if ok && first > bestRune {
				break
			}
			begin := back(text, i, w.depth)
			if m.options.Whole && !borderBehind(text, begin) {
				continue
			}
			best, bestRune, ok = Match{m.words[w.word], begin, i}, first, true
			break
		}
	}
	return best, ok, runes + visited
}

// step is where a rune leads.
func (m *Matcher) step(state int32, r rune) int32 {
	if r == no {
		return 0
	}
	for {
		if to := m.edge(state, r); to != 0 || state == 0 {
			return to
		}
		state = m.nodes[state].fail
	}
}

// edge returns the node behind an edge, or 0 if there is none.
func (m *Matcher) edge(state int32, r rune) int32 {
	n := &m.nodes[state]
	low, high := n.first, n.last
	for low < high {
		middle := (low + high) / 2
		switch e := m.edges[middle]; {
		case e.r == r:
			return e.to
		case e.r < r:
			low = middle + 1
		default:
			high = middle
		}
	}
	return 0
}

// other folds a rune that is not ASCII.
func (m *Matcher) other(r rune, size int) rune {
	if r == utf8.RuneError && size == 1 {
		return no // a byte that is not UTF-8
	}
	if folded, known := m.others[r]; known {
		return folded
	}
	return no
}

// back is the byte where the last n runes before end begin.
func back(text string, end int, n int32) int {
	for ; n > 0; n-- {
		if end--; text[end] >= utf8.RuneSelf {
			_, size := utf8.DecodeLastRuneInString(text[:end+1])
			end -= size - 1
		}
	}
	return end
}

// borderBefore reports whether a word may end before the byte at.
func borderBefore(text string, at int) bool {
	r, size := utf8.DecodeRuneInString(text[at:])
	return size == 0 || !inWord(r)
}

// borderBehind reports whether a word may begin at the byte at.
func borderBehind(text string, at int) bool {
	r, size := utf8.DecodeLastRuneInString(text[:at])
	return size == 0 || !inWord(r)
}

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
