package provider

import (
	"bytes"
	"strings"
)

// formReader walks over the parts of a multipart/form-data body (RFC 7578 and RFC 2046, section 5.1). It takes only
// forms that every parser splits alike, as a model that we read and the provider does not would pass a budget:
//
//   - the body begins with the boundary and ends with the closing one, nothing before and at most CR LF behind it
//   - wherever the boundary's text stands, it is a boundary: at the start of a line, with nothing else on it
//   - all lines of boundaries and headers end in CR LF
//   - at most maxParts parts, each with at most maxPartHead bytes of headers
//
// It allocates for the headers of parts alone. Time is linear in the length of the body.
type formReader struct {
	body      []byte
	delimiter []byte // "--" and the boundary
	at        int    // right behind a delimiter
	parts     int
	fault     string // why the form is not one, "" so far
}

// Limits of a form, far above what the APIs take: 16 pictures, a mask and twenty fields.
const (
	maxParts    = 128
	maxPartHead = 8 << 10
)

// formPart is one part of a form.
type formPart struct {
	name    string
	file    bool   // it has a file name
	charset string // of its content type, in lower case, "" if not stated
	value   []byte // as it is: no transfer encoding is taken
}

// newFormReader begins to read a body of the content type.
func newFormReader(contentType string, body []byte) formReader {
	f := formReader{body: body}
	boundary, ok := boundaryOf(contentType)
	f.delimiter = append([]byte("--"), boundary...)
	switch {
	case !ok:
		f.fault = "the content-type must be multipart/form-data with one boundary of 1 to 70 letters, digits and '()+_,-./:=?"
	case !bytes.HasPrefix(body, f.delimiter):
		f.fault = "the form must begin with its boundary"
	}
	f.at = len(f.delimiter)
	return f
}

// next returns the next part. At the end of the form, or at a fault, it returns false.
func (f *formReader) next() (p formPart, ok bool) {
	if f.fault != "" {
		return p, false
	}
	rest := f.body[f.at:]
	if tail, closed := bytes.CutPrefix(rest, []byte("--")); closed {
		if len(tail) > 0 && string(tail) != "\r\n" {
			f.fault = "bytes follow the end of the form"
		}
		return p, false
	}
	rest, ok = bytes.CutPrefix(rest, []byte("\r\n"))
	end := bytes.Index(rest, f.delimiter)
	switch {
	case !ok:
		f.fault = "a boundary of the form must end its line with CR LF"
	case end < 0:
		f.fault = "the form has no end"
	case end < 2 || string(rest[end-2:end]) != "\r\n":
		f.fault = "the boundary stands inside a part of the form"
	case f.parts == maxParts:
		f.fault = "the form has too many parts"
	}
	if f.fault != "" {
		return p, false
	}
	f.parts++
	f.at = len(f.body) - len(rest) + end + len(f.delimiter)
	return f.part(rest[:end-2])
}

// part reads the headers of a part.
func (f *formReader) part(raw []byte) (p formPart, ok bool) {
	head, _, ok := bytes.Cut(raw[:min(len(raw), maxPartHead)], []byte("\r\n\r\n"))
	if !ok {
		f.fault = "a part of the form has no end of its headers"
		return p, false
	}
	p.value = raw[len(head)+4:]
	var seen partHeaders
	for text := string(head); text != ""; {
		var line string
		line, text, _ = strings.Cut(text, "\r\n")
		if f.fault = p.header(line, &seen); f.fault != "" {
			return p, false
		}
	}
	if !seen.disposition {
		f.fault = "a part of the form has no content-disposition"
	}
	return p, f.fault == ""
}

// partHeaders are the headers of a part that have been read, each of which it may have once.
type partHeaders struct{ disposition, contentType, encoding bool }

// header reads a line of a part's headers and returns what is wrong with it. seen are the headers that were read.
func (p *formPart) header(line string, seen *partHeaders) (fault string) {
	for i := range len(line) {
		if c := line[i]; c < ' ' || c == 0x7f {
			return "a header of a part of the form is folded or has control characters"
		}
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) {
		return "a header of a part of the form is malformed"
	}
	value = strings.Trim(value, " ")
	var once *bool
	switch {
	case strings.EqualFold(name, "content-disposition"):
		once, ok = &seen.disposition, p.disposition(value)
	case strings.EqualFold(name, "content-type"):
		once, ok = &seen.contentType, p.contentType(value)
	case strings.EqualFold(name, "content-transfer-encoding"):
		// RFC 7578, section 4.7, deprecates it. Some parsers decode, others do not.
		once, ok = &seen.encoding, strings.EqualFold(value, "binary") || strings.EqualFold(value, "8bit") || strings.EqualFold(value, "7bit")
	default:
		return ""
	}
	if !ok || *once {
		return "the " + strings.ToLower(name) + " of a part of the form is one that providers may read differently"
	}
	*once = true
	return ""
}
