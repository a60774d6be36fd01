package e2e

import (
	"bytes"
	"mime/multipart"
	"strings"
	"testing"
)

// form is a call whose body is a form with a file, and fields given as names and values.
func form(t *testing.T, path, file, content string, fields ...string) call {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile(file, "a.wav")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return post(path, body.String(), "authorization", "Bearer k").with("content-type", w.FormDataContentType())
}

// recording is a WAV file of n bytes of samples at 16 kHz in 16 bits.
func recording(n int) string {
	return "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00" + strings.Repeat("\x00", n)
}

// forms are calls whose usage the provider reports, and which hard budgets can bound.
func forms(t *testing.T) []traffic {
	const scripts, edits = "/v1/audio/transcriptions", "/v1/images/edits"
	sound := strings.Repeat("x", 25_000)
	return []traffic{
		{"a transcription", form(t, scripts, "file", sound, "model", "gpt-4o-transcribe")},
		{"a transcription that streams", form(t, scripts, "file", sound, "model", "gpt-4o-transcribe", "stream", "true")},
		{"a transcription by the second", form(t, scripts, "file", recording(32_000*15), "model", "whisper-1")},
		{"a transcription that says how long it is", form(t, scripts, "file", recording(32_000*15), "model", "whisper-1", "response_format", "verbose_json")},
		{"a translation", form(t, "/v1/audio/translations", "file", recording(32_000*15), "model", "whisper-1")},
		{"an edit", form(t, edits, "image[]", "PNG", "model", "gpt-image-1", "prompt", "A hat", "n", "2", "quality", "high")},
		{"an edit that streams", form(t, edits, "image", "PNG", "model", "gpt-image-1", "prompt", "A hat", "stream", "true", "partial_images", "2")},
	}
}

// TestFormsAreBilledUntouched: nobody may change them, and the ledger knows their models and costs.
func TestFormsAreBilledUntouched(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, r release) {
		for _, mode := range []string{"observe", "enforce"} {
			s := newStack(t, setup{envoy: r, policy: "version: 1\nmode: " + mode + "\n"})
			for i, tt := range forms(t) {
				t.Run(mode+" "+tt.name, func(t *testing.T) {
					a := s.ok(t, tt.call)
					if got := s.provider.last(t).Body; !bytes.Equal(got, tt.call.body) {
						t.Errorf("%d bytes reached the provider of %d, or others", len(got), len(tt.call.body))
					}
					sum, total := s.settled(t, int64(i+1)), s.provider.total(t)
					if sum.Cost != total.CostNanos || sum.Calls != total.Calls || sum.Estimated != 0 || sum.Latest[0].Cost == 0 {
						t.Errorf("ledger %s USD for %d calls, %d of them estimated; invoice %s USD for %d", sum.Cost, sum.Calls, sum.Estimated, total.CostNanos, total.Calls)
					}
					if got := sum.Latest[0].Asked; !bytes.Contains(tt.call.body, []byte("\r\n\r\n"+got+"\r\n")) {
						t.Errorf("recorded as %q, which the form does not ask for", got)
					}
					if streams := bytes.Contains(tt.call.body, []byte("name=\"stream\"")); streams != strings.HasPrefix(a.header.Get("content-type"), "text/event-stream") {
						t.Errorf("content-type %q: the test tests nothing", a.header.Get("content-type"))
					}
				})
			}
			s.quiet(t)
		}
	})
}

// TestAHardBudgetAdmitsTheFormsThatFit: one of two, as each may cost all that is left.
func TestAHardBudgetAdmitsTheFormsThatFit(t *testing.T) {
	s := newStack(t, setup{policy: limitedTo(1)})
	for _, tt := range forms(t) {
		t.Run(tt.name, func(t *testing.T) {
			most, before := bound(t, tt.call), s.summary(t)
			s.reload(t, limitedTo(before.Cost+most-1))
			wantRefused(t, s.send(t, tt.call))
			s.reload(t, limitedTo(before.Cost+most))
			s.ok(t, tt.call)
			sum := s.settled(t, before.Calls+1)
			if cost := sum.Cost - before.Cost; cost == 0 || cost > most || sum.Overruns != 0 {
				t.Errorf("the call cost %s USD, and could cost at most %s; %d overruns", cost, most, sum.Overruns)
			}
		})
	}
}

// TestAnAnswerWithoutUsageIsChargedForItsSound: plain text says nothing of its price.
func TestAnAnswerWithoutUsageIsChargedForItsSound(t *testing.T) {
	s := newStack(t, setup{policy: observePolicy})
	s.ok(t, form(t, "/v1/audio/transcriptions", "file", recording(32_000*15), "model", "whisper-1", "response_format", "text"))
	sum, total := s.settled(t, 1), s.provider.total(t)
	if sum.Estimated != 1 || sum.Bound < total.CostNanos || sum.Cost < total.CostNanos || sum.Cost > total.CostNanos*11/10 {
		t.Errorf("%d estimated, ledger %s USD, bound %s, invoice %s: want an estimate a little above the invoice", sum.Estimated, sum.Cost, sum.Bound, total.CostNanos)
	}
}

// TestAnUnknownModelOfAFormIsRefused where the policy says so.
func TestAnUnknownModelOfAFormIsRefused(t *testing.T) {
	s := newStack(t, setup{policy: "version: 1\nmode: enforce\nunknown_model: refuse\n"})
	a := s.send(t, form(t, "/v1/audio/transcriptions", "file", "x", "model", "no-such-model"))
	if message := messageOf(t, a); a.status < 400 || !strings.Contains(message, `"no-such-model"`) {
		t.Errorf("status %d, %q; want a refusal of the model", a.status, message)
	}
	if n := len(s.provider.requests(t)); n != 0 {
		t.Errorf("the provider received %d requests, want none", n)
	}
}
