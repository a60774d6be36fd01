package policyfile

import (
	"fmt"
	"strings"
)

// maxSuggested bounds the work of a suggestion; nobody means a name this long.
const maxSuggested = 64

// didYouMean returns a hint naming the candidate closest to got, or "" if none is close. Of equally close ones
// the first wins.
func didYouMean[S ~string](got string, candidates []S) string {
	best, bestDistance := "", max(1, len(got)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(got), strings.ToLower(string(c))); d < bestDistance {
			best, bestDistance = string(c), d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// oneOf returns a hint: the closest candidate, else all of them if they are few.
func oneOf[S ~string](got string, candidates []S) string {
	if hint := didYouMean(got, candidates); hint != "" || len(candidates) > maxListed {
		return hint
	}
	return allOf(got, candidates)
}

// maxListed is how many names a hint lists at most.
const maxListed = 8

// allOf returns a hint: the closest candidate, else the first of them; "" if there are none.
func allOf[S ~string](got string, candidates []S) string {
	if hint := didYouMean(got, candidates); hint != "" || len(candidates) == 0 {
		return hint
	}
	more := ""
	if len(candidates) > maxListed {
		more = fmt.Sprintf(" and %d more", len(candidates)-maxListed)
		candidates = candidates[:maxListed]
	}
	quoted := make([]string, len(candidates))
	for i, c := range candidates {
		quoted[i] = fmt.Sprintf("%q", string(c))
	}
	return "known: " + strings.Join(quoted, ", ") + more
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b
// (optimal string alignment).
func distance(a, b string) int {
	if len(a) > maxSuggested || len(b) > maxSuggested {
		return maxSuggested
	}
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
