package provider

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// Limits of what a gzip body may become, against bodies made to fill the memory: deflate shrinks at most a
// thousandfold. Text and JSON shrink to a tenth, streams of JSON chunks to a twentieth; 200 is beyond what people send.
const (
	maxInflated  = 16 << 20 // bytes: Envoy's buffer for request bodies, beyond which the plain body could not go on
	maxInflation = 200      // times the body's size
	freeInflated = 1 << 20  // bytes that are decoded whatever the ratio
)

// errInflated says that a body becomes more than the limits.
var errInflated = errors.New("more than the limit")

// inflate decodes a gzip body in pieces, which are valid only during the call that hands them out. With an error, what
// stands before the fault or within the limits has been handed out.
func inflate(body []byte, take func(piece []byte)) error {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	left := min(maxInflated, max(freeInflated, maxInflation*len(body)))
	buf := make([]byte, 32<<10)
	for err == nil {
		var n int
		n, err = z.Read(buf)
		take(buf[:min(n, left)])
		if n > left {
			return errInflated
		}
		left -= n
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Gunzip returns a gzip request body without its compression. The error is a *RequestError.
func Gunzip(body []byte) ([]byte, error) {
	var plain []byte
	err := inflate(body, func(piece []byte) { plain = append(plain, piece...) })
	switch {
	case errors.Is(err, errInflated):
		return nil, &RequestError{Code: CodeTooLarge, Message: "the request body decodes to more than farebox reads"}
	case err != nil:
		return nil, &RequestError{Code: CodeBadEncoding, Message: "the request body is damaged gzip, or none although its content-encoding says so"}
	}
	return plain, nil
}

// readGzip decodes the kept body and reads what it holds, as far as it is whole and within the limits.
func (m *Meter) readGzip() {
	inner := NewMeter(Endpoint{API: m.api, Selective: m.selective}, m.vendor)
	inner.nested, inner.statement = true, m.statement
	_ = inflate(m.body, inner.Write) // what was decoded before a fault counts
	inner.Close()
	*m = *inner
}
