package provider

import (
	"bytes"
	"compress/gzip"
	"io"
)

// A compressed request body may decode to at most maxGunzip bytes, and beyond freeGunzip to at most maxGunzipRatio times its
// size.
const (
	maxGunzip      = 64 << 20
	freeGunzip     = 1 << 20
	maxGunzipRatio = 200
)

// Gunzip returns a gzip request body without its compression. The error is a *RequestError.
func Gunzip(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, &RequestError{Code: CodeBadEncoding, Message: "the request body is not the gzip that its content-encoding says"}
	}
	limit := min(maxGunzip, max(freeGunzip, int64(len(body))*maxGunzipRatio))
	plain, err := io.ReadAll(io.LimitReader(z, limit+1))
	switch {
	case err != nil:
		return nil, &RequestError{Code: CodeBadEncoding, Message: "the request body is damaged gzip"}
	case int64(len(plain)) > limit:
		return nil, &RequestError{Code: CodeTooLarge, Message: "the request body decodes to more than farebox reads"}
	}
	return plain, nil
}
