package provider

import (
	"bytes"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
)

var apis = []API{
	OpenAIChat, OpenAIResponses, AnthropicMessages, GeminiGenerate, OpenAICompletions, OpenAIEmbeddings, OpenAIImages, OpenAISpeech,
	OpenAITranscription, GeminiEmbed, GeminiInteractions, VertexPredict, BedrockConverse, BedrockInvoke, CohereChat, CohereEmbed, CohereRerank, OllamaChat, OllamaGenerate,
	OllamaEmbed, TGIGenerate, "",
}

// countingVendors are those with rules of their own.
var countingVendors = []pricing.ProviderName{"", XAI, Vercel, Groq, Perplexity}

// fuzzMeter returns a Meter for an API and a vendor by number.
func fuzzMeter(api int) *Meter {
	n := uint(api)
	return NewMeter(Endpoint{API: apis[n%uint(len(apis))]}, countingVendors[n/uint(len(apis))%uint(len(countingVendors))])
}

// addBodies seeds f with every recorded body for its own API and for one that it does not belong to.
func addBodies(f *testing.F, add func(body []byte, api int)) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "responses", "*"))
	if err != nil || len(files) == 0 {
		f.Fatalf("seeds: %v, %d files", err, len(files))
	}
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		add(b, i)
		for _, tt := range recorded {
			for api := range apis {
				if tt.file == filepath.Base(file) && tt.api == apis[api] {
					add(b, api)
				}
			}
		}
	}
}

// addVectors seeds f with every vector.
func addVectors(f *testing.F, add func(body []byte, api int)) {
	f.Helper()
	for _, v := range vectors() {
		add([]byte(v.body), slices.Index(apis, ParsePath(v.path).API)+len(apis)*max(0, slices.Index(countingVendors, v.vendor)))
	}
}

// FuzzMeterSplit checks that the pieces in which a body arrives change nothing.
func FuzzMeterSplit(f *testing.F) {
	add := func(b []byte, api int) { f.Add(b, api, len(b)/3, 2*len(b)/3) }
	addBodies(f, add)
	addVectors(f, add)
	f.Fuzz(func(t *testing.T, b []byte, api, i, j int) {
		i = min(max(i, 0), len(b))
		j = min(max(j, i), len(b))
		whole, split := fuzzMeter(api), fuzzMeter(api)
		whole.Write(b)
		for _, piece := range [][]byte{b[:i], b[i:j], b[j:]} {
			split.Write(piece)
		}
		if want, got := whole.Close(), split.Close(); want != got {
			t.Errorf("%s: %q split at %d and %d: got %+v, whole %+v", whole.api, b, i, j, got, want)
		}
	})
}

// FuzzMeter checks what holds for every reading, while a body arrives and at its end.
func FuzzMeter(f *testing.F) {
	add := func(b []byte, api int) { f.Add(b, api) }
	addBodies(f, add)
	addVectors(f, add)
	f.Fuzz(func(t *testing.T, b []byte, api int) {
		m := fuzzMeter(api)
		for i := 0; i < len(b); i += 16 {
			m.Write(b[i:min(i+16, len(b))])
			checkReading(t, b, m.Reading())
		}
		r := m.Close()
		checkReading(t, b, r)
		if again := m.Close(); r != again {
			t.Errorf("%q: second Close: got %+v, want %+v", b, again, r)
		}
	})
}

func checkReading(t *testing.T, b []byte, r Reading) {
	t.Helper()
	u := r.Usage
	sum := int64(0)
	for kind, n := range u.All() {
		if n < 0 || n > 1<<52 {
			t.Errorf("%q: %s out of range: %+v", b, kind, r)
		}
		sum += n
	}
	if r.TextBytes < 0 || r.Stated < 0 || u.LongestPrompt < 0 || u.LongestPrompt > u.TotalInput() {
		t.Errorf("%q: out of range: %+v", b, r)
	}
	if total := u.TotalInput() + u.TotalOutput(); total > sum-u.Reasoning {
		t.Errorf("%q: total %d of parts that add up to %d: %+v", b, total, sum-u.Reasoning, r)
	}
	if u.Reasoning > u.Output || r.Partial && (r.HasUsage || r.Complete) {
		t.Errorf("%q: contradiction in %+v", b, r)
	}
	if !r.HasUsage && !r.Partial && !r.Complete && u.TotalInput()+u.Output > 0 {
		t.Errorf("%q: usage of no standing in %+v", b, r)
	}
}

// FuzzTally checks that the counts of a usage object come out disjoint, whatever the object says: no kind is negative,
// none is lost, and no prompt or answer comes to more than was stated.
func FuzzTally(f *testing.F) {
	f.Add(int64(100), int64(64), int64(8), int64(50), int64(20), int64(9), int64(30), int64(5), int64(7))
	f.Add(int64(10), int64(90), int64(30), int64(99), int64(99), int64(99), int64(1), int64(5), int64(7))
	f.Fuzz(func(t *testing.T, prompt, read, write, audio, image, cachedAudio, answer, outAudio, reasoning int64) {
		var c tally
		for i, n := range []*int64{&read, &write, &audio, &image, &cachedAudio, &outAudio} {
			*n = min(max(*n, 0), maxCount)
			c.n[[]tallied{ofCacheRead, ofCacheWrite, ofInputAudio, ofInputImage, ofCachedAudio, ofOutputAudio}[i]] = count{n: *n, set: true}
		}
		prompt, answer = min(max(prompt, 0), maxCount), min(max(answer, 0), maxCount)
		var u pricing.Usage
		c.prompt(&u, prompt)
		c.answer(&u, answer, min(max(reasoning, 0), maxCount))
		for kind, n := range u.All() {
			if n < 0 {
				t.Errorf("%s is negative in %+v", kind, u)
			}
		}
		if got, want := u.TotalInput(), max(prompt, read+write); got != want {
			t.Errorf("prompt of %d, %d from the cache and %d to it: total %d, want %d: %+v", prompt, read, write, got, want, u)
		}
		if got := u.TotalOutput(); got != answer || u.Reasoning > u.Output {
			t.Errorf("answer of %d: total %d: %+v", answer, got, u)
		}
	})
}

// FuzzShifted compares with exact arithmetic.
func FuzzShifted(f *testing.F) {
	for _, s := range []string{"0", "0.00014", "1.25e-05", "12345", "0.0000000005", "0.00000000049", "-1", "1e", "1e+3", "9e99", "1e-999999999999", "007", ".5", "5.", "99999999.9999999995"} {
		f.Add(s, 9)
		f.Add(s, -1)
	}
	f.Fuzz(func(t *testing.T, s string, places int) {
		places = min(max(places, -9), 9)
		got, ok := shifted([]byte(s), places)
		if !ok {
			return
		}
		want, valid := new(big.Rat).SetString(s)
		if !valid {
			return // such as a mantissa that ends in a point
		}
		for range max(places, -places) {
			if places > 0 {
				want.Mul(want, big.NewRat(10, 1))
			} else {
				want.Quo(want, big.NewRat(10, 1))
			}
		}
		want.Add(want, big.NewRat(1, 2))
		if floor := new(big.Int).Quo(want.Num(), want.Denom()); !floor.IsInt64() || floor.Int64() != int64(got) {
			t.Errorf("shifted(%q, %d) = %d, want %s", s, places, got, floor)
		}
	})
}

// FuzzFrames checks that the pieces in which an AWS event stream arrives change nothing, and that what comes out is
// part of what went in.
func FuzzFrames(f *testing.F) {
	for _, v := range bedrockVectors {
		f.Add([]byte(v.body), 7)
	}
	f.Add([]byte(awsMessage("", "", "")), 1)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		read := func(size int) (out []byte, broken bool) {
			var r frameReader
			for piece := range slices.Chunk(b, size) {
				r.feed(bytes.Clone(piece), func(m frame) {
					if !bytes.Contains(b, m.payload) || !bytes.Contains(b, m.event) {
						t.Errorf("%q holds no %q", b, m.payload)
					}
					out = append(append(append(out, m.event...), 0), m.payload...)
				})
				if cap(r.held) > 2*maxFrame {
					t.Errorf("keeps %d bytes", cap(r.held))
				}
			}
			return out, r.broken
		}
		whole, broken := read(max(1, len(b)))
		pieces, alsoBroken := read(min(max(size, 1), 1+len(b)))
		if !bytes.Equal(whole, pieces) || broken != alsoBroken {
			t.Errorf("%q in pieces of %d: %q, %t; whole %q, %t", b, size, pieces, alsoBroken, whole, broken)
		}
	})
}

// FuzzObjects checks the same of a sequence of JSON objects.
func FuzzObjects(f *testing.F) {
	for _, v := range nativeVectors {
		f.Add([]byte(v.body), 7)
	}
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		read := func(size int) (out []byte) {
			var r objectReader
			keep := func(object []byte) {
				if !bytes.Contains(b, object) {
					t.Errorf("%q holds no %q", b, object)
				}
				out = append(append(out, object...), 0)
			}
			for piece := range slices.Chunk(b, size) {
				r.feed(bytes.Clone(piece), keep)
			}
			r.flush(keep)
			return out
		}
		if whole, pieces := read(max(1, len(b))), read(min(max(size, 1), 1+len(b))); !bytes.Equal(whole, pieces) {
			t.Errorf("%q in pieces of %d: %q, whole %q", b, size, pieces, whole)
		}
	})
}
