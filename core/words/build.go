package words

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on a list.
const (
	MaxWord  = 256       // bytes of a word
	MaxWords = 50_000    // of a list
	MaxBytes = 512 << 10 // of all words of a list
)

// folded is a word of the list under way.
type folded struct {
	runes []rune
	word  string
}

// New compiles a list. Words that fold to the same stand for the first of them.
func New(list []string, o Options) (*Matcher, error) {
	if len(list) > MaxWords {
		return nil, fmt.Errorf("%d words are more than a list may have (%d)", len(list), MaxWords)
	}
	m := &Matcher{options: o, others: map[rune]rune{}}
	for i := range m.ascii {
		m.ascii[i] = no
	}
	words, bytes := make([]folded, len(list)), 0
	for i, word := range list {
		switch {
		case word == "":
			return nil, fmt.Errorf("word %d is empty", i+1)
		case len(word) > MaxWord:
			return nil, fmt.Errorf("word %d is longer than %d bytes", i+1, MaxWord)
		case !utf8.ValidString(word):
			return nil, fmt.Errorf("word %d is not valid UTF-8", i+1)
		}
		if bytes += len(word); bytes > MaxBytes {
			return nil, fmt.Errorf("the words are longer than %d bytes together", MaxBytes)
		}
		words[i] = folded{m.learn(word), strings.Clone(word)}
	}
	slices.SortStableFunc(words, func(a, b folded) int { return slices.Compare(a.runes, b.runes) })
	words = slices.CompactFunc(words, func(a, b folded) bool { return slices.Equal(a.runes, b.runes) })
	m.build(words)
	return m, nil
}

// learn folds a word and notes all forms of its runes.
func (m *Matcher) learn(word string) []rune {
	runes := make([]rune, 0, len(word))
	for _, r := range word {
		to := r
		if !m.options.Case {
			to = fold(r)
		}
		runes = append(runes, to)
		for form := to; ; {
			if form < utf8.RuneSelf {
				m.ascii[form] = to
			} else {
				m.others[form] = to
			}
			if form = unicode.SimpleFold(form); m.options.Case || form == to {
				break
			}
		}
	}
	return runes
}

// fold is the least of the runes that differ from r in case only.
func fold(r rune) rune {
	least := r
	for form := unicode.SimpleFold(r); form != r; form = unicode.SimpleFold(form) {
		least = min(least, form)
	}
	return least
}

// build makes the nodes of sorted words, those of less depth first. A node is a
// range of words that begin alike.
func (m *Matcher) build(words []folded) {
	type span struct{ low, high int }
	m.nodes = []node{{word: -1}}
	spans := []span{{0, len(words)}}
	for n := 0; n < len(m.nodes); n++ {
		at, s := m.nodes[n], spans[n]
		if s.low < s.high && len(words[s.low].runes) == int(at.depth) {
			at.word = int32(len(m.words))
			m.words = append(m.words, words[s.low].word)
			s.low++
		}
		if n > 0 {
			if f := m.nodes[at.fail]; f.word >= 0 {
				at.shorter = at.fail
			} else {
				at.shorter = f.shorter
			}
		}
		at.first = int32(len(m.edges))
		for s.low < s.high {
			r, end := words[s.low].runes[at.depth], s.low+1
			for end < s.high && words[end].runes[at.depth] == r {
				end++
			}
			child := node{depth: at.depth + 1, word: -1}
			if n > 0 {
				child.fail = m.step(at.fail, r)
			}
			m.edges = append(m.edges, edge{r, int32(len(m.nodes))})
			m.nodes, spans = append(m.nodes, child), append(spans, span{s.low, end})
			s.low = end
		}
		at.last = int32(len(m.edges))
		m.nodes[n] = at
	}
	for b, r := range m.ascii {
		if r != no {
			m.start[b] = m.edge(0, r)
		}
	}
}
