package words

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFind(t *testing.T) {
	f := func(list, text, want string, o Options) {
		t.Helper()
		m, err := New(strings.Fields(list), o)
		if err != nil {
			t.Fatal(err)
		}
		got := "none"
		if found, ok, _ := m.Find(text, 0); ok {
			got = fmt.Sprint(found.Word, " ", text[found.Start:found.End], " ", found.Start)
		}
		if got != want {
			t.Errorf("%q in %q: got %q, want %q", list, text, got, want)
		}
	}
	fold, cases, whole := Options{}, Options{Case: true}, Options{Whole: true}

	f("spam", "no such thing", "none", fold)
	f("", "anything", "none", fold)
	f("spam", "", "none", fold)
	f("spam ham", "ham and spam", "ham ham 0", fold)
	f("spam", "eggs, SPAM", "spam SPAM 6", fold)
	f("Spam", "spam Spam", "Spam Spam 5", cases)
	f("SPAM", "spam", "SPAM spam 0", fold)

	// The first, and of those that begin there the longest.
	f("bc abcd", "abcd", "abcd abcd 0", fold)
	f("bc abcd", "abce", "bc bc 1", fold)
	f("a ab abc", "xabc", "abc abc 1", fold)
	f("a abc", "ab abc", "a a 0", fold)
	f("b abcde cd", "abcdx", "b b 1", fold)
	f("aab ab", "aaab", "aab aab 1", fold)
	f("he she his hers", "ushers", "she she 1", fold)

	// Letters of all scripts fold, also where their lengths differ.
	f("привет", "ПРИВЕТ!", "привет ПРИВЕТ 0", fold)
	f("kelvin", "0 \u212aELVIN", "kelvin \u212aELVIN 2", fold)
	f("\u212a", "k", "\u212a k 0", fold)
	f("muſter", "x MUSTER", "muſter MUSTER 2", fold)
	f("ΣΑΣ", "σας", "ΣΑΣ σας 0", fold)
	f("日本 本語", "a日本語", "日本 日本 1", fold)
	f("é", "\u00c9", "é \u00c9 0", fold)
	f("é", "\u00c9", "none", cases)
	f("\ufffd", "\xff", "none", fold) // a byte that is no rune is not U+FFFD
	f("b", "\xffb", "b b 1", fold)

	f("ass", "class assign", "none", whole)
	f("ass", "class ass", "ass ass 6", whole)
	f("ass", "(ass)", "ass ass 1", whole)
	f("ass", "ass_", "none", whole)
	f("ass", "ass2", "none", whole)
	f("ass", "éass", "none", whole)
	f("ass", "asse\u0301", "none", whole)
	f("c++ #tag", "c++ #tag", "c++ c++ 0", whole)
	// A longer word that is no whole one does not hide a shorter one.
	f("test testing", "test tests testing", "test test 0", whole)
	f("a-b b", "xa-b", "b b 3", whole)
	f("a-b a-bc", "a-bcd a-b", "a-b a-b 6", whole)
	f("a a.b", "a.bc", "a a 0", whole)
}

func TestFindGoesOnFromAPlace(t *testing.T) {
	m, err := New([]string{"aa", "b"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, places := "aaaa b aaa", []int{}
	for at := 0; ; {
		found, ok, _ := m.Find(text, at)
		if !ok {
			break
		}
		places = append(places, found.Start)
		at = found.End
	}
	if got := fmt.Sprint(places); got != "[0 2 5 7]" {
		t.Error(got)
	}
}

func TestBoundsOfAList(t *testing.T) {
	f := func(list []string, want string) {
		t.Helper()
		if _, err := New(list, Options{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f([]string{"a", ""}, "word 2 is empty")
	f([]string{"\xff"}, "word 1 is not valid UTF-8")
	f([]string{strings.Repeat("x", MaxWord+1)}, "word 1 is longer than 256 bytes")
	f(make([]string, MaxWords+1), "50001 words are more than a list may have (50000)")
	long := make([]string, MaxBytes/MaxWord+1)
	for i := range long {
		long[i] = strings.Repeat("x", MaxWord)
	}
	f(long, "the words are longer than 524288 bytes together")
}

// FuzzFind holds the automaton to a search of each word at each place.
func FuzzFind(f *testing.F) {
	f.Add("he she his hers", "ushers", false, false)
	f.Add("a ab b.c c", "ab.cab", false, true)
	f.Add("ß ss ſ k \u212a", "SS\u212aſ\xff", true, false)
	f.Fuzz(func(t *testing.T, list, text string, cases, whole bool) {
		words := strings.Fields(list)
		m, err := New(words, Options{Case: cases, Whole: whole})
		if err != nil || len(words) > 20 || len(text) > 200 {
			return
		}
		wantStart, wantEnd, want := 0, 0, false
		for start := 0; start <= len(text) && !want; start++ {
			for end := start + 1; end <= len(text); end++ {
				for _, w := range words {
					part := text[start:end]
					if utf8.ValidString(part) && (part == w || !cases && strings.EqualFold(part, w)) &&
						(!whole || borderBehind(text, start) && borderBefore(text, end)) {
						wantStart, wantEnd, want = start, end, true
					}
				}
			}
		}
		found, ok, _ := m.Find(text, 0)
		if ok != want || ok && (found.Start != wantStart || found.End != wantEnd) {
			t.Fatalf("%q in %q: got %v %v, want %d to %d", words, text, found, ok, wantStart, wantEnd)
		}
		if got := text[found.Start:found.End]; ok && found.Word != got && (cases || !strings.EqualFold(found.Word, got)) {
			t.Fatalf("%q is said to be %q", got, found.Word)
		}
	})
}

func TestFindAllocatesNothing(t *testing.T) {
	m, err := New([]string{"spam", "привет"}, Options{Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { m.Find("some text and then ПРИВЕТ", 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFind(b *testing.B) {
	var list []string
	for i := range 1000 {
		list = append(list, fmt.Sprintf("%cad%cword%d", 'a'+i%26, 'a'+i/26%26, i))
	}
	f := func(name, text string) {
		m, err := New(list, Options{Whole: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				m.Find(text, 0)
			}
		})
	}
	f("200 bytes of English", strings.Repeat("The quick brown fox jumps over the lazy dog. ", 5)[:200])
	f("200 bytes of Russian", strings.Repeat("Съешь ещё этих мягких булок ", 8)[:200])
}
