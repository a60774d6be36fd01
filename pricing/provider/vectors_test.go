package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
)

// vector is a response as a provider answers, and what it says.
type vector struct {
	name    string
	path    string
	vendor  pricing.ProviderName
	headers [][2]string
	body    string
	want    Reading
}

// vectors are all of them, by family.
func vectors() []vector {
	return slices.Concat(openAIVectors, hostVectors, mediaVectors, anthropicVectors, geminiVectors, interactionVectors, bedrockVectors, nativeVectors)
}

// meter returns a Meter that has read nothing but the headers.
func (v *vector) meter() *Meter {
	m := NewMeter(ParsePath(v.path), v.vendor)
	for _, h := range v.headers {
		m.Header(h[0], h[1])
	}
	return m
}

// read returns the reading of the body in pieces.
func (v *vector) read(pieces ...[]byte) Reading {
	m := v.meter()
	for _, p := range pieces {
		p = bytes.Clone(p)
		m.Write(p)
		clear(p) // the Meter must not have kept it
	}
	return m.Close()
}

// sse is a stream of unnamed events.
func sse(data ...string) string {
	return "data: " + strings.Join(data, "\n\ndata: ") + "\n\n"
}

// named is a stream of events whose names their type repeats, as those of Anthropic and of Responses.
func named(data ...string) string {
	var b strings.Builder
	for _, d := range data {
		_, kind, _ := strings.Cut(d, `"type":"`)
		kind, _, _ = strings.Cut(kind, `"`)
		b.WriteString("event: " + kind + "\ndata: " + d + "\n\n")
	}
	return b.String()
}

// awsMessage is one message of an AWS event stream, with its headers in pairs.
func awsMessage(payload string, headers ...string) string {
	var h []byte
	for i := 0; i < len(headers); i += 2 {
		h = append(append(h, byte(len(headers[i]))), headers[i]...)
		h = binary.BigEndian.AppendUint16(append(h, 7), uint16(len(headers[i+1])))
		h = append(h, headers[i+1]...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(framePrelude+len(h)+len(payload)+frameSum))
	b = binary.BigEndian.AppendUint32(b, uint32(len(h)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, h...), payload...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// aws is an event stream of events and their payloads, in pairs.
func aws(events ...string) string {
	var b strings.Builder
	for i := 0; i < len(events); i += 2 {
		b.WriteString(awsMessage(events[i+1], ":event-type", events[i], ":content-type", "application/json", ":message-type", "event"))
	}
	return b.String()
}

// chunks is the event stream of an invoked model that answers in pieces.
func chunks(pieces ...string) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(aws("chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(p))+`","p":"abcdefgh"}`))
	}
	return b.String()
}

func TestMeterReadsEveryAPI(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			if seen[v.name] {
				t.Fatal("a name stands for two vectors")
			}
			seen[v.name] = true
			if diff := cmp.Diff(v.want, v.read([]byte(v.body))); diff != "" {
				t.Errorf("reading of %q (-want +got):\n%s", v.body, diff)
			}
		})
	}
}

// TestAnySplitGivesTheSameReading cuts every vector once at every byte and many times at random, plain and compressed.
func TestAnySplitGivesTheSameReading(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			b := []byte(v.body)
			for _, b := range [][]byte{b, zip(t, b)} {
				for i := range b {
					if got := v.read(b[:i], b[i:]); got != v.want {
						t.Fatalf("split at byte %d (-want +got):\n%s", i, cmp.Diff(v.want, got))
					}
				}
				for range 20 {
					pieces := cut(rnd, b)
					if got := v.read(pieces...); got != v.want {
						t.Fatalf("in pieces %q (-want +got):\n%s", pieces, cmp.Diff(v.want, got))
					}
				}
			}
		})
	}
}

// cut takes b apart at random.
func cut(rnd *rand.Rand, b []byte) (pieces [][]byte) {
	for most := 2 + rnd.IntN(64); len(b) > 0; {
		n := min(len(b), rnd.IntN(most))
		pieces, b = append(pieces, b[:n]), b[n:]
	}
	return pieces
}

// TestAnySpellingOfAStreamGivesTheSameReading takes the liberties that the format of events leaves.
func TestAnySpellingOfAStreamGivesTheSameReading(t *testing.T) {
	for _, v := range vectors() {
		if !strings.HasPrefix(v.body, "data: ") && !strings.HasPrefix(v.body, "event: ") {
			continue
		}
		for name, spelling := range map[string]string{
			"CR":                  strings.ReplaceAll(v.body, "\n", "\r"),
			"CRLF":                strings.ReplaceAll(v.body, "\n", "\r\n"),
			"comments":            ": hello\n\n" + strings.ReplaceAll(v.body, "\n\n", "\n\n: keep-alive\n\n"),
			"no space":            strings.ReplaceAll(v.body, "data: ", "data:"),
			"no end of the line":  strings.TrimRight(v.body, "\n"),
			"a byte order mark":   "\xEF\xBB\xBF" + v.body,
			"leading empty lines": "\n\r\n\n" + v.body,
			"other fields":        "id: 1\nretry: 5\n" + v.body,
			"data in many lines":  strings.ReplaceAll(v.body, `,"`, ",\ndata: \""),
		} {
			t.Run(v.name+"/"+name, func(t *testing.T) {
				for _, pieces := range [][][]byte{{[]byte(spelling)}, bytes.SplitAfter([]byte(spelling), nil)} {
					if diff := cmp.Diff(v.want, v.read(pieces...)); diff != "" {
						t.Errorf("reading of %q in %d pieces (-want +got):\n%s", spelling, len(pieces), diff)
					}
				}
			})
		}
	}
}

// TestACutResponseStatesNothingMore cuts every vector at every byte: what is charged for must have been stated.
func TestACutResponseStatesNothingMore(t *testing.T) {
	for _, v := range vectors() {
		b := strings.TrimRight(v.body, "\r\n")
		for i := range b {
			got := v.read([]byte(b[:i]))
			if got.HasUsage && len(v.headers) == 0 && (got.Usage != v.want.Usage || !v.want.HasUsage) {
				t.Fatalf("%s: after %d bytes the final usage is %+v, want %+v", v.name, i, got.Usage, v.want.Usage)
			}
			if got.HasStated && (got.Stated != v.want.Stated || !v.want.HasStated) {
				t.Fatalf("%s: after %d bytes the stated charge is %s, want %s", v.name, i, got.Stated, v.want.Stated)
			}
			if got.Partial && (got.HasUsage || got.Complete) {
				t.Fatalf("%s: after %d bytes both partial and final: %+v", v.name, i, got)
			}
		}
	}
}

// TestACutStreamIsEstimated takes the usage out of every stream: what it wrote is still counted.
func TestACutStreamIsEstimated(t *testing.T) {
	for _, v := range vectors() {
		if !v.want.Stream || v.want.TextBytes == 0 {
			continue
		}
		b, best := []byte(v.body), Reading{}
		for i := range b {
			if got := v.read(b[:i]); !got.HasUsage && got.TextBytes > best.TextBytes {
				best = got
			}
		}
		if best.TextBytes == 0 {
			t.Errorf("%s: no cut leaves text to estimate from", v.name)
		}
	}
}
