// Package jsonscan reads one JSON text in a single pass, without recursion and without allocating.
//
// A Scanner hands out tokens with their spans in the text, so that a caller can look at what it knows, pass over
// the rest at the speed of memory, and later replace bytes in place. It is stricter than encoding/json: raw bytes
// must be valid UTF-8, at most MaxDepth containers may be nested, and nothing but white space may follow the value.
// Escapes of lone surrogates are accepted, as encoding/json does, and read as U+FFFD. Duplicate keys are the
// caller's concern, and so is the size of the text.
//
// Errors are sticky: after the first one every call returns a Token of kind Invalid, loops end, and Err tells why.
// So the usual reading has one check, at the end:
//
//	s := jsonscan.New(body)
//	root := s.Next() // Kind Object, or Invalid
//	for key, ok := s.Member(root); ok; key, ok = s.Member(root) {
//		switch string(s.Text(key)) { // raw; s.Equal(key, "model") also sees "mod\u0065l"
//		case "model":
//			model = s.Next() // String, Number, Object ...
//		case "messages":
//			for m, ok := s.Element(s.Next()); ok; ... // see Element
//		}
//		// a value that was not read, or not to its end, is passed over and checked by the next call of Member
//	}
//	if err := s.Finish(); err != nil { // the rest is valid too
//		return err
//	}
//
// Member and Element return false at once for a token of another kind, so a caller that does not care whether a
// value is an object needs no test of its own.
package jsonscan

// MaxDepth is the largest number of containers that may be open at once.
const MaxDepth = 128

// Kind says what a Token is.
type Kind uint8

// The kinds of tokens.
const (
	Invalid   Kind = iota // the text is not valid here; see Scanner.Err
	End                   // the text has ended, and was valid
	Object                // {
	ObjectEnd             // }
	Array                 // [
	ArrayEnd              // ]
	Key                   // a member's name; the colon has been read
	String                // a string value
	Number                // a number; its spelling is in the span
	True                  // true
	False                 // false
	Null                  // null
)

// Token is a piece of the text.
type Token struct {
	Kind    Kind
	Escaped bool  // a Key or String holds a backslash
	Depth   uint8 // containers open around the token; an Object and its ObjectEnd have the same
	Start   int   // offset of the first byte; a string's opening quote
	End     int   // offset after the last byte; of an Object or Array, after its opening bracket
}

// Bool returns the value of a True or False, and whether t is one.
func (t Token) Bool() (value, ok bool) {
	return t.Kind == True, t.Kind == True || t.Kind == False
}

// Valid returns nil if body is one JSON value, else an *Error.
func Valid(body []byte) error {
	s := New(body)
	return s.Finish()
}
