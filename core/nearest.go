package core

import "strings"

// Nearest returns the known word that word was probably meant to be, for "did
// you mean" in errors, or "" when none is close. A swap of two neighbours
// counts as one slip, like a missing, wrong or extra letter; the case of
// letters does not count. Of equally close words the alphabetically first wins.
func Nearest(word string, known []string) string {
	w := []rune(strings.ToLower(word))
	best, bestSlips := "", slipsAllowed(len(w))+1
	for _, k := range known {
		n := slips(w, []rune(strings.ToLower(k)), bestSlips)
		if n < bestSlips || n == bestSlips && best != "" && k < best {
			best, bestSlips = k, n
		}
	}
	return best
}

// slipsAllowed is how many slips a word of n letters may hold and still be
// recognised: none in one letter, which any other would fit.
func slipsAllowed(n int) int {
	switch {
	case n <= 1:
		return 0
	case n <= 4:
		return 1
	case n <= 8:
		return 2
	}
	return 3
}

// slips is the edit distance of a and b with swaps of neighbours, row by row.
// It stops early, with limit+1, where the lengths alone exceed limit.
func slips(a, b []rune, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
