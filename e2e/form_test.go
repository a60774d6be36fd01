package e2e

import (
	"bytes"
	"mime/multipart"
	"testing"
)

// form is a call whose body is a form with a file.
func form(t *testing.T, path, model string) call {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	file, err := w.CreateFormFile("file", "a.wav")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, 2500)); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteField("model", model); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return post(path, body.String(), "authorization", "Bearer k").with("content-type", w.FormDataContentType())
}

// TestAFormPassesUntouchedAndIsCounted: nobody may change it. Where a hard budget covers it, it is refused.
func TestAFormPassesUntouchedAndIsCounted(t *testing.T) {
	c := form(t, "/v1/audio/transcriptions", "gpt-4o-transcribe")
	s := newStack(t, setup{policy: "version: 1\nmode: enforce\n"})
	s.ok(t, c)
	if got := s.provider.last(t).Body; !bytes.Equal(got, c.body) {
		t.Errorf("%d bytes reached the provider of %d, or others", len(got), len(c.body))
	}
	if got := s.metric(t, `farebox_uncovered_total{reason="multipart"}`); got != 1 {
		t.Errorf("farebox_uncovered_total %g, want 1", got)
	}
	s.reload(t, limitedTo(1_000_000_000))
	if a := s.send(t, c); a.status != 403 {
		t.Errorf("under a hard budget: status %d, want 403: %s", a.status, a.body)
	}
	if n := s.provider.total(t).Calls; n != 1 {
		t.Errorf("the provider billed %d calls, want 1", n)
	}
}
