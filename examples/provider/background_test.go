package main

import (
	"io"
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
