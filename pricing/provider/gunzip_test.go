package provider

import (
	"bytes"
	"compress/gzip"
	"errors"
	"testing"
)

func TestGunzipTakesWholeBodiesWithinLimits(t *testing.T) {
	packed := func(plain []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	body := []byte(`{"model":"gpt-4o"}`)
	for _, tt := range []struct {
		name string
		body []byte
		want []byte
		code string
	}{
		{"a body", packed(body), body, ""},
		{"blanks that shrink a thousandfold, below what is always read", packed(make([]byte, freeInflated)), make([]byte, freeInflated), ""},
		{"one more", packed(make([]byte, freeInflated+1)), nil, CodeTooLarge},
		{"cut", packed(body)[:20], nil, CodeBadEncoding},
		{"its checksum is wrong", append(packed(body)[:len(packed(body))-8], make([]byte, 8)...), nil, CodeBadEncoding},
		{"no gzip", body, nil, CodeBadEncoding},
		{"nothing", nil, nil, CodeBadEncoding},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Gunzip(tt.body)
			code := ""
			var bad *RequestError
			if errors.As(err, &bad) {
				code = bad.Code
			}
			if !bytes.Equal(got, tt.want) || code != tt.code || (err == nil) != (tt.code == "") {
				t.Errorf("%d bytes and %v, want %d bytes and code %q", len(got), err, len(tt.want), tt.code)
			}
		})
	}
}
