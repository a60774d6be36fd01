package feeds

import (
	"fmt"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// List is a price list as it was read.
type List struct {
	Listings []pricing.Listing
	Warnings []Warning // of tables in CSV, in file order
	Rows     int       // that were left out as they have mistakes
	Values   int       // that were left out as nothing reads their columns
}

// Whole reports whether nothing of the file was left out.
func (l *List) Whole() bool { return l.Rows+l.Values == 0 }

// Warning is something that a reader of a list should know: what was left out, or what was taken otherwise than it
// stands there.
type Warning struct {
	Lines []int // from 1, rising
	Text  string
}

// maxLines is how many lines a warning names.
const maxLines = 10

// String is the warning with its lines: "lines 2, 5: ...".
func (w *Warning) String() string {
	if len(w.Lines) == 1 {
		return fmt.Sprintf("line %d: %s", w.Lines[0], w.Text)
	}
	lines := make([]string, min(len(w.Lines), maxLines))
	for i := range lines {
		lines[i] = fmt.Sprint(w.Lines[i])
	}
	more := ""
	if n := len(w.Lines) - len(lines); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("lines %s%s: %s", strings.Join(lines, ", "), more, w.Text)
}
