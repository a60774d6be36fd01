package ledger

import "fmt"

// sumOf is the sum of a column in SQL, which fails for a SUM of integers that do not fit: it adds the upper and the lower
// halves of their bits. Where both together do not fit, they are a floating-point number, which the cast stops at the
// largest integer or the smallest. Taking halves does so with what a column holds of a sum that did not fit when it was
// written.
func sumOf(column string) string {
	return fmt.Sprintf("CAST(SUM(%s >> 32) * (1 << 32) + SUM(%[1]s & ((1 << 32) - 1)) AS INTEGER)", column)
}

// sumsOf is a list of such sums, each named for its column.
func sumsOf(columns ...string) string {
	sums := make([]string, len(columns))
	for i, c := range columns {
		sums[i] = sumOf(c) + " AS " + c
	}
	return list(sums)
}

// spentOf is the sum of a column of spentRows. A total that is full makes it so, whatever is taken off.
func spentOf(column string) string {
	return fmt.Sprintf("iif(MAX(%s) >= %d, %[2]d, %s) AS %[1]s", column, full, sumOf(column))
}
