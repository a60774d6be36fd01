package ledger

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestOverrunsAreLoggedNowAndThen(t *testing.T) {
	var log bytes.Buffer
	var passed atomic.Int64
	o := quiet
	o.Now = func() time.Time { return noon.Add(time.Duration(passed.Load())) }
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	l := openAt(t, t.TempDir(), o, company(1000*cent))
	overrun := func(calls int) {
		for range calls {
			must(t, l.Settle(paid(reserved(t, l, hold(2*cent)), 3*cent)))
		}
	}
	overrun(40)
	if lines := strings.Count(log.String(), "more than was reserved"); lines != 1 {
		t.Errorf("got %d lines of 40 overruns at once, want 1", lines)
	}
	passed.Add(int64(overrunEvery))
	overrun(1)
	if lines := strings.Count(log.String(), "more than was reserved"); lines != 2 || !strings.Contains(log.String(), "not_logged=39") {
		t.Errorf("got %d lines, want a second one that names 39 others:\n%s", lines, log.String())
	}
	if n := l.Stats().Overruns; n != 41 {
		t.Errorf("got %d overruns, want 41", n)
	}
}
