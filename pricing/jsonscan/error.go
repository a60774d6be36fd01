package jsonscan

import "strconv"

// An Error says where a text stops being JSON, and why.
type Error struct {
	Offset  int    // of the byte that does not fit; the length of the text when it ends too early
	Problem string // a constant phrase
}

// The phrases of Error.Problem that callers may tell apart.
const (
	ProblemDepth    = "too many nested objects and arrays"
	ProblemUTF8     = "invalid UTF-8"
	ProblemTrailing = "unexpected data after the JSON value"
	ProblemEnd      = "unexpected end of JSON"
)

// Error returns the problem with its offset.
func (e *Error) Error() string {
	return e.Problem + " at byte " + strconv.Itoa(e.Offset)
}
