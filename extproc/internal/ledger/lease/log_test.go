package lease

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// plain is a logger without times.
func plain(out *strings.Builder) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

func TestTheLogSaysHowTheStoreServesUs(t *testing.T) {
	s := newModelStore()
	s.gone, s.model.lastRun, s.model.recovery = true, "", time.Minute
	var log strings.Builder
	h := NewHolder(s, Options{Replica: "a", Incarnation: 1, Now: func() time.Time { return s.now }, Logger: plain(&log)})
	for _, tt := range []struct {
		name   string
		change func()
		want   string
		down   bool
	}{
		{"never reached", func() {}, `level=WARN msg="shared balances out of reach" err="no store"` + "\n", true},
		{"still not reached", func() {}, "", true},
		{
			"recovering", func() { s.gone = false },
			`level=WARN msg="shared balances reached, nothing is handed out while they recover"` + "\n", true,
		},
		{"still recovering", func() {}, "", true},
		{"granting", func() { s.now = s.now.Add(time.Minute) }, `level=INFO msg="shared balances in use"` + "\n", false},
		{"still granting", func() {}, "", false},
		{"lost", func() { s.gone = true }, `level=WARN msg="shared balances out of reach" err="no store"` + "\n", true},
	} {
		log.Reset()
		tt.change()
		_ = h.Beat(t.Context())
		if got := log.String(); got != tt.want || h.Stats().Down != tt.down {
			t.Errorf("%s: logged %q, want %q; down %t, want %t", tt.name, got, tt.want, h.Stats().Down, tt.down)
		}
	}
}

func TestTheLogNamesTheAddressWithoutThePassword(t *testing.T) {
	const address = "127.0.0.1:1" // nobody answers there
	r, err := OpenRedis("redis://ann:s3cret@"+address+"/0", RedisOptions{})
	must(t, err)
	defer r.Close()
	var log strings.Builder
	h := NewHolder(r, Options{Replica: "a", Incarnation: 1, Logger: plain(&log)})
	if err := h.Beat(t.Context()); err == nil {
		t.Fatal("a beat had an answer")
	}
	if got := log.String(); !strings.Contains(got, "store=redis://"+address+"/0") || strings.Contains(got, "s3cret") {
		t.Errorf("logged %q, want the address without the password", got)
	}
}
