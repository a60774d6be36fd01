package main

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"testing"
)

// get returns the status and body of a GET.
func (b *bench) get(t *testing.T, path string) (int, map[string]any) {
	t.Helper()
	r := b.request(t, t.Context(), path, "")
	r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, object(t, string(body))
}

func TestAnAnswerInTheBackground(t *testing.T) {
	b := newBench(t, config{})
	_, body := b.post(t, "/v1/responses", `{"model":"gpt-4.1","background":true,"max_output_tokens":16,"input":"hello world"}`)
	queued := object(t, body)
	if queued["status"] != "queued" || queued["usage"] != nil {
		t.Fatalf("status %v, usage %v; want queued without usage", queued["status"], queued["usage"])
	}
	bill := b.awaitBill(t, 1)
	id := queued["id"].(string)
	for i, want := range []string{"in_progress", "incomplete", "incomplete"} {
		_, got := b.get(t, "/v1/responses/"+id)
		if got["status"] != want {
			t.Fatalf("question %d: status %v, want %s", i, got["status"], want)
		}
		if out := dig(got, "usage", "output_tokens"); (want == "incomplete") != (out == float64(bill.Usage.Output)) {
			t.Errorf("question %d: usage says %v tokens, the invoice %d", i, out, bill.Usage.Output)
		}
	}
	if calls, _ := b.invoice.read(); len(calls) != 1 {
		t.Errorf("%d bills, want 1", len(calls))
	}
	if status, _ := b.get(t, "/v1/responses/resp_none"); status != http.StatusNotFound {
		t.Errorf("an unknown response: status %d, want 404", status)
	}
}

func TestACancelledAnswerHasNoUsage(t *testing.T) {
	b := newBench(t, config{})
	_, body := b.post(t, "/v1/responses", `{"model":"gpt-4.1","background":true,"input":"hello world"}`)
	path := "/v1/responses/" + object(t, body)["id"].(string)
	_, body = b.post(t, path+"/cancel", "")
	if got := object(t, body); got["status"] != "cancelled" || got["usage"] != nil {
		t.Errorf("status %v, usage %v; want cancelled without usage", got["status"], got["usage"])
	}
	if status, _ := b.post(t, "/v1/responses", `{"model":"gpt-4.1","background":true,"store":false,"input":"x"}`); status != http.StatusBadRequest {
		t.Errorf("background without store: status %d, want 400", status)
	}
}

// form is a multipart body with a file of n bytes.
func form(t *testing.T, model string, n int) (body, contentType string) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	part, err := w.CreateFormFile("file", "a.wav")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteField("model", model); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String(), w.FormDataContentType()
}

func TestTranscriptionsBill(t *testing.T) {
	for model, want := range map[string]usage{"whisper-1": {Seconds: 3}, "gpt-4o-transcribe": {Audio: 25}} {
		t.Run(model, func(t *testing.T) {
			b := newBench(t, config{})
			body, kind := form(t, model, 2500)
			got := b.bill(t, "/v1/audio/transcriptions", body, "content-type", kind)
			if want.Output = got.Usage.Output; got.Usage != want || got.CostNanos == 0 {
				t.Errorf("billed %+v for %d, want %+v", got.Usage, got.CostNanos, want)
			}
		})
	}
}
