package policyfile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with a policy file.
type Problem struct {
	File    string
	Line    int // from 1; 0 when the problem is the file as a whole
	Column  int // from 1, in characters
	Width   int // characters to underline, at least 1
	Code    Code
	Message string // what is wrong, without position and code
	Hint    string // the next step, "" if there is none to tell
	Source  string // the text of the line, credentials masked
}

// Warning reports whether the policy can be used in spite of the problem.
func (p Problem) Warning() bool { return p.Code.warning() }

// maxShown is how many characters of a long line are printed.
const maxShown = 160

// String prints the problem, its line and a caret under the place, on three lines without a final line feed.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Warning() {
		b.WriteString("warning: ")
	}
	fmt.Fprintf(&b, "%s (%s)", p.Message, p.Code)
	switch {
	case p.Line > 0:
		p.writeSnippet(&b)
	case p.Hint != "":
		fmt.Fprintf(&b, "\n      | %s", p.Hint)
	}
	return b.String()
}

func (p Problem) writeSnippet(b *strings.Builder) {
	line, column := shown([]rune(printable(p.Source)), p.Column, p.Width)
	width := max(1, min(p.Width, len(line)-column+1))
	fmt.Fprintf(b, "\n%5d | %s\n      | ", p.Line, string(line))
	for i := range column - 1 {
		if i < len(line) && line[i] == '\t' {
			b.WriteByte('\t') // so that the caret stands right at any tab width
			continue
		}
		b.WriteByte(' ')
	}
	b.WriteString(strings.Repeat("^", width))
	if p.Hint != "" {
		b.WriteString(" " + p.Hint)
	}
}

// shown cuts a long line to what is printed of it, and returns the column of the place therein.
func shown(line []rune, column, width int) ([]rune, int) {
	if end := column - 1 + width; end > maxShown {
		first := min(max(0, column-1-maxShown/2), len(line))
		line, column = append([]rune{'…'}, line[first:]...), column-first+1
	}
	if len(line) > maxShown {
		line = append(line[:maxShown:maxShown], '…')
	}
	return line, column
}

// printable replaces what could move a terminal's cursor or change its colours.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// Problems are all problems of a file, in file order. As warnings do not make a file unusable, test Err and
// not whether Problems is nil.
type Problems []Problem

// Error prints every problem, warnings too.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Format writes what Error returns and a final line feed, or nothing if there are no problems.
func (ps Problems) Format(w io.Writer) error {
	if len(ps) == 0 {
		return nil
	}
	_, err := io.WriteString(w, ps.Error()+"\n")
	return err
}

// Err returns ps if any of the problems is more than a warning, else nil.
func (ps Problems) Err() error {
	for _, p := range ps {
		if !p.Warning() {
			return ps
		}
	}
	return nil
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
