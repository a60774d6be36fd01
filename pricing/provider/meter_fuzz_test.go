package provider

import (
	"os"
	"path/filepath"
	"testing"
)

var apis = []API{OpenAIChat, OpenAIResponses, AnthropicMessages, GeminiGenerate}

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

// FuzzMeterSplit checks that the pieces in which a body arrives change nothing.
func FuzzMeterSplit(f *testing.F) {
	addBodies(f, func(b []byte, api int) { f.Add(b, api, len(b)/3, 2*len(b)/3) })
	f.Fuzz(func(t *testing.T, b []byte, api, i, j int) {
		a := apis[uint(api)%uint(len(apis))]
		i = min(max(i, 0), len(b))
		j = min(max(j, i), len(b))
		if whole, split := measure(a, b), measure(a, b[:i], b[i:j], b[j:]); whole != split {
			t.Errorf("%s: %q split at %d and %d: got %+v, whole %+v", a, b, i, j, split, whole)
		}
	})
}

// FuzzMeter checks what holds for every reading, while a body arrives and at its end.
func FuzzMeter(f *testing.F) {
	addBodies(f, func(b []byte, api int) { f.Add(b, api) })
	f.Fuzz(func(t *testing.T, b []byte, api int) {
		m := NewMeter(Endpoint{API: apis[uint(api)%uint(len(apis))]}, "")
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
	for _, n := range []int64{u.Input, u.CacheRead, u.CacheWriteShort, u.CacheWriteLong, u.Output, u.Reasoning, r.TextBytes} {
		if n < 0 || n > 8*maxCount {
			t.Errorf("%q: count out of range: %+v", b, r)
		}
	}
	if u.Reasoning > u.Output || r.Partial && (r.HasUsage || r.Complete) {
		t.Errorf("%q: contradiction in %+v", b, r)
	}
	if !r.HasUsage && !r.Partial && !r.Complete && u.TotalInput()+u.Output > 0 {
		t.Errorf("%q: usage of no standing in %+v", b, r)
	}
}
