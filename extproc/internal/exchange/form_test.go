package exchange

import (
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
)

// upload is a form that asks for a transcript.
func upload(kind string) call {
	const part = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o-transcribe\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\nID3\r\n--b--\r\n"
	return call{method: "POST", path: "/v1/audio/transcriptions", headers: []Header{{"content-type", kind}}, body: part}
}

const transcript = `{"text":"Hello","usage":{"type":"tokens","input_tokens":100,"output_tokens":10,"total_tokens":110,"input_token_details":{"text_tokens":0,"audio_tokens":100}}}`

// TestAnUploadLeavesAsItCame: it is neither edited, nor moved, nor cached.
func TestAnUploadLeavesAsItCame(t *testing.T) {
	policy := strings.Replace(caching, "openai/gpt-4.1-nano", "openai/gpt-4o-mini-transcribe", 1)
	w := newWorld(t, policy)
	c := of("a", upload("Multipart/Form-Data; boundary=b"))
	c.headers = append(c.headers, Header{"x-label", "small"})
	for range 2 {
		_, reply := w.send(t, c)
		if reply.Answer != nil || reply.Body != nil {
			t.Fatalf("answered %+v, body %q; want the call to leave as it came", reply.Answer, reply.Body)
		}
	}
	w.answer(t, c, transcript)
	e := w.entries(t)[0]
	want := pricing.Usage{InputAudio: 100, Output: 10}
	if e.Usage != want || e.Model != "gpt-4o-transcribe" || e.Cost != 700_000 || e.Estimated {
		t.Errorf("entry %+v, want usage %+v at 0.0007 USD", e, want)
	}
}

// TestPartsThatAreNoFormAreNotRead, as no API here takes them.
func TestPartsThatAreNoFormAreNotRead(t *testing.T) {
	w := newWorld(t, "mode: enforce\n")
	for _, kind := range []string{"multipart/mixed; boundary=b", "MULTIPART/related; boundary=b", "multipart/form-data, text/plain"} {
		if _, reply := w.send(t, upload(kind)); reply.Metered || reply.Answer != nil || fields(reply.Metadata)["decision"] != "uncovered" {
			t.Errorf("%s: got %+v, want it to pass uncovered", kind, reply)
		}
	}
}
