package provider

import "strings"

// formType is the content type of forms.
const formType = "multipart/form-data"

// TakesForm reports whether the body of a call is a form, for ParseForm to read: its API takes files that way, and the
// content type says so. Other APIs take JSON whatever a client says it sends.
func (e Endpoint) TakesForm(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return (e.API == OpenAITranscription || e.API == OpenAIImages) && strings.EqualFold(strings.Trim(kind, " \t"), formType)
}

// boundaryOf returns the boundary that a content type states, if all parsers find the same one, and read names and values
// in the same letters: some take the charset of the whole for that of each part.
func boundaryOf(contentType string) (boundary string, ok bool) {
	kind, rest, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.Trim(kind, " \t"), formType) || strings.Count(strings.ToLower(contentType), "boundary") != 1 {
		return "", false
	}
	charset := ""
	for rest != "" {
		var key, value string
		if key, value, rest, ok = cutParameter(rest); !ok {
			return "", false
		}
		switch key = strings.ToLower(key); {
		case key == "boundary":
			boundary = value
		case strings.HasPrefix(key, "charset"):
			if charset != "" || key != "charset" || !isPlain(value) {
				return "", false
			}
			charset = value
		}
	}
	return boundary, isBoundary(boundary)
}

// isBoundary reports whether s is a boundary by RFC 2046, section 5.1.1. Spaces, which may stand in one, are left out.
func isBoundary(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("'()+_,-./:=?", s[i]) < 0 {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 70
}

// cutParameter takes the next key=value of a header's parameters, and the semicolon behind it. A quoted value has no
// escapes: parsers differ in whether a backslash is one.
func cutParameter(s string) (key, value, rest string, ok bool) {
	key, s, ok = strings.Cut(strings.TrimLeft(s, " \t"), "=")
	if !ok || !isToken(key) {
		return "", "", "", false
	}
	if quoted, is := strings.CutPrefix(s, `"`); is {
		value, s, ok = strings.Cut(quoted, `"`)
		if !ok || strings.HasSuffix(value, `\`) {
			return "", "", "", false
		}
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return key, value, "", true
		}
		rest, ok = strings.CutPrefix(s, ";")
		return key, value, rest, ok && rest != ""
	}
	value, rest, ok = strings.Cut(s, ";")
	value = strings.TrimRight(value, " \t")
	return key, value, rest, isToken(value) && (!ok || rest != "")
}

// disposition reads form-data with the name of the part first and, for a file, a file name.
func (p *formPart) disposition(value string) bool {
	kind, rest, _ := strings.Cut(value, ";")
	key, name, rest, ok := cutParameter(rest)
	if !ok || !strings.EqualFold(strings.TrimRight(kind, " \t"), "form-data") || !strings.EqualFold(key, "name") || !isFieldName(name) {
		return false
	}
	p.name = name
	var plain, extended bool
	for rest != "" {
		if key, value, rest, ok = cutParameter(rest); !ok {
			return false
		}
		seen := &plain
		switch strings.ToLower(key) {
		case "filename":
		case "filename*": // RFC 5987; clients add it for names that are not ASCII
			seen = &extended
		default:
			return false
		}
		if *seen || strings.Contains(strings.ToLower(value), "name=") {
			return false
		}
		*seen, p.file = true, true
	}
	return true
}

// contentType reads the type of a part. One with parts or a message of its own is no field.
func (p *formPart) contentType(value string) bool {
	kind, rest, _ := strings.Cut(value, ";")
	kind = strings.ToLower(kind)
	if strings.HasPrefix(kind, "multipart/") || strings.HasPrefix(kind, "message/") {
		return false
	}
	for rest != "" {
		var key, word string
		var ok bool
		if key, word, rest, ok = cutParameter(rest); !ok {
			return false
		}
		if key = strings.ToLower(key); strings.HasPrefix(key, "charset") {
			if p.charset != "" || key != "charset" {
				return false
			}
			p.charset = strings.ToLower(word)
		}
	}
	return true
}

// plainText reports whether the part's characters are those of ASCII where its bytes are.
func (p *formPart) plainText() bool { return p.charset == "" || isPlain(p.charset) }

// isPlain reports whether a character set is ASCII in the bytes of ASCII.
func isPlain(charset string) bool {
	switch strings.ToLower(charset) {
	case "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "windows-1252":
		return true
	}
	return false
}

// isFieldName reports whether a name means the same whether or not a parser decodes escapes in it.
func isFieldName(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("_-.[]", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
