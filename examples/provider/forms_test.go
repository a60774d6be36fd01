package main

import (
	"bytes"
	"mime/multipart"
	"strings"
	"testing"
)

// upload is a form with a file and fields, given as names and values.
func upload(t *testing.T, name, content string, fields ...string) (body, contentType string) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile(name, "a.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String(), w.FormDataContentType()
}

// recording is a WAV file of n bytes of samples at 16 kHz in 16 bits.
func recording(n int) string {
	return "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00" + strings.Repeat("\x00", n)
}

func TestTranscriptionsBill(t *testing.T) {
	for _, tt := range []struct {
		name, model, file string
		more              []string
		want              usage
	}{
		{"seconds", "whisper-1", strings.Repeat("x", 2500), nil, usage{Seconds: 3}},
		{"seconds of plain text", "whisper-1", strings.Repeat("x", 2500), []string{"response_format", "text"}, usage{Seconds: 3}},
		{"seconds of a WAV file", "whisper-1", recording(32_000*2 + 2), nil, usage{Seconds: 3}},
		{"tokens", "gpt-4o-transcribe", strings.Repeat("x", 2500), nil, usage{Audio: 25}},
		{"tokens of a stream", "gpt-4o-transcribe", strings.Repeat("x", 2500), []string{"stream", "true"}, usage{Audio: 25}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{})
			body, kind := upload(t, "file", tt.file, append([]string{"model", tt.model}, tt.more...)...)
			got := b.bill(t, "/v1/audio/transcriptions", body, "content-type", kind)
			if got.CostNanos == 0 || got.Usage.Output == 0 && tt.want.Audio > 0 {
				t.Errorf("billed %+v for %d", got.Usage, got.CostNanos)
			}
			if tt.want.Output = got.Usage.Output; got.Usage != tt.want {
				t.Errorf("billed %+v, want %+v", got.Usage, tt.want)
			}
		})
	}
}

func TestEditsBill(t *testing.T) {
	for _, tt := range []struct {
		name string
		more []string
		want usage
	}{
		{"one picture", nil, usage{Input: 2, Pictures: 323, Output: 1056}},
		{"three pictures of high quality", []string{"n", "3", "quality", "high"}, usage{Input: 2, Pictures: 323, Output: 3 * 4160}},
		{"a stream", []string{"stream", "true", "partial_images", "2"}, usage{Input: 2, Pictures: 323, Output: 1056 + 2*100}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, config{})
			body, kind := upload(t, "image[]", "PNG", append([]string{"model", "gpt-image-1", "prompt", "hello world"}, tt.more...)...)
			got := b.bill(t, "/v1/images/edits", body, "content-type", kind)
			want := int64(tt.want.Input)*5000 + int64(tt.want.Pictures)*10_000 + int64(tt.want.Output)*40_000
			if got.Usage != tt.want || got.CostNanos != want {
				t.Errorf("billed %+v for %d, want %+v for %d", got.Usage, got.CostNanos, tt.want, want)
			}
		})
	}
}
