package provider

import "testing"

func TestEncoding(t *testing.T) {
	for values, want := range map[string]string{
		"": "", "identity": "", "GZip": "gzip", "identity,gzip": "gzip", " gzip ,": "gzip", "gzip,gzip": "gzip, gzip", "br, Identity,gzip": "br, gzip",
	} {
		if got := Encoding(values); got != want {
			t.Errorf("Encoding(%q) = %q, want %q", values, got, want)
		}
	}
}
