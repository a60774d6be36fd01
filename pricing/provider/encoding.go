package provider

import "strings"

// Encoding returns how a body is compressed, in lower case and in the order of application, "" if it is not. values
// are all values of its content-encoding headers, joined with commas: RFC 9110, section 8.4.
func Encoding(values string) string {
	if values == "" {
		return ""
	}
	var codings []string
	for coding := range strings.SplitSeq(values, ",") {
		if coding = strings.ToLower(strings.TrimSpace(coding)); coding != "" && coding != "identity" {
			codings = append(codings, coding)
		}
	}
	return strings.Join(codings, ", ")
}
