package provider

import (
	"bytes"
	"compress/gzip"
)

// Limits of what a compressed body may become, in bytes. Streams of JSON chunks shrink to a twentieth or so.
const (
	maxInflated = 64 << 20
	maxRatio    = 100
	freeRatio   = 1 << 20 // inflated whatever the ratio
)

// readGzip decodes the kept body and reads what it holds, as far as it is whole and within the limits.
func (m *Meter) readGzip() {
	inner := NewMeter(m.api)
	inner.nested = true
	left := min(maxInflated, freeRatio+maxRatio*len(m.body))
	if z, err := gzip.NewReader(bytes.NewReader(m.body)); err == nil {
		buf := make([]byte, 32<<10)
		for err == nil && left > 0 {
			var n int
			n, err = z.Read(buf[:min(len(buf), left)])
			inner.Write(buf[:n])
			left -= n
		}
	}
	inner.Close()
	*m = *inner
}
