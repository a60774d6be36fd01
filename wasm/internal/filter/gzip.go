package filter

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// A compressed request body may decode to at most maxPlain bytes and maxRatio times its size.
const (
	maxPlain = 64 << 20
	maxRatio = 200
)

// What can be wrong with a compressed body, as the client is told it.
var (
	errNotGzip  = errors.New("the request body is not the gzip that its content-encoding says")
	errDamaged  = errors.New("the request body is damaged gzip")
	errTooLarge = errors.New("the request body decodes to more than farebox reads")
)

// plain returns the body without its compression. In observe mode the proxy forwards what the client sent all the
// same: the decoded copy is only read.
func (x *Exchange) plain(body []byte) ([]byte, error) {
	if x.in.header("content-encoding") != "gzip" {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, errNotGzip
	}
	limit := min(maxPlain, int64(len(body))*maxRatio)
	plain, err := io.ReadAll(io.LimitReader(z, limit+1))
	switch {
	case err != nil:
		return nil, errDamaged
	case int64(len(plain)) > limit:
		return nil, errTooLarge
	}
	return plain, nil
}
