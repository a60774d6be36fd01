package main

import "testing"

func TestAnInteractionInTheBackground(t *testing.T) {
	b := newBench(t, config{})
	_, body := b.post(t, "/v1beta/interactions", `{"model":"gemini-2.5-flash","background":true,"input":"hello [[tokens=20]]","generation_config":{"max_output_tokens":16}}`)
	begun := object(t, body)
	if begun["status"] != "in_progress" || begun["usage"] != nil {
		t.Fatalf("status %v, usage %v; want it in progress without usage", begun["status"], begun["usage"])
	}
	bill := b.awaitBill(t, 1)
	id := begun["id"].(string)
	for i, want := range []string{"in_progress", "incomplete", "incomplete"} {
		_, got := b.get(t, "/v1beta/interactions/"+id)
		if got["status"] != want {
			t.Fatalf("question %d: status %v, want %s", i, got["status"], want)
		}
		if out := dig(got, "usage", "total_output_tokens"); (want == "incomplete") != (out == float64(bill.Usage.Output)) {
			t.Errorf("question %d: %v tokens, invoice %+v", i, out, bill.Usage)
		}
	}
	if status, _ := b.get(t, "/v1beta/interactions/other"); status != 404 {
		t.Errorf("another interaction: status %d, want 404", status)
	}
}
