package jsonscan

import "unicode/utf8"

// AppendString appends s as a JSON string with its quotes. Quotes, backslashes and control characters are escaped, DEL
// included, as some terminals act on it; each byte that is not UTF-8 becomes U+FFFD; all else stays as it is.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
