package pricing

import (
	"testing"
	"time"
)

func TestWindowsArePrinted(t *testing.T) {
	for want, w := range map[string]Window{
		"always":                  {},
		"sun,sat 00:00-24:00 UTC": {Weekdays: 1 | 1<<6, End: 24 * time.Hour},
		"mon 01:00-01:01:01 UTC but on 1 holiday":               {Weekdays: 2, Start: time.Hour, End: time.Hour + time.Minute + time.Second, Except: []Day{7}},
		"mon,tue,wed,thu,fri 16:30-23:00 UTC but on 2 holidays": {Weekdays: 0b111110, Start: 16*time.Hour + 30*time.Minute, End: 23 * time.Hour, Except: []Day{7, 8}},
	} {
		if got := w.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAllNamesEveryRateAndFee(t *testing.T) {
	var p Price
	next := Rate(1)
	names := map[string]bool{}
	for name, rate := range p.Rates.All() {
		names[name], *rate, next = true, next, next+1
	}
	for name, rate := range p.Fees.All() {
		names[name], *rate, next = true, next, next+1
	}
	want := Price{
		Rates: Rates{Input: 1, CacheRead: 2, CacheWriteShort: 3, CacheWriteLong: 4, Output: 5, InputAudio: 6, InputImage: 7, CacheReadAudio: 8, OutputAudio: 9, OutputImage: 10},
		Fees:  Fees{Request: 11, WebSearch: 12, FileSearch: 13, CodeRun: 14, SearchUnit: 15, Image: 16, Second: 17, Character: 18},
	}
	if p.Rates != want.Rates || p.Fees != want.Fees || len(names) != 18 {
		t.Errorf("got %+v by %d names, want %+v", p, len(names), want)
	}
	for range p.Rates.All() {
		break
	}
}

func TestRatesByThePieceArePrinted(t *testing.T) {
	for want, r := range map[string]Rate{
		"0": 0, "0.000000000000001": 1, "0.01": 10_000_000_000_000, "1": 1_000_000_000_000_000, "12.5": 12_500_000_000_000_000,
	} {
		if got := r.Each(); got != want {
			t.Errorf("%d: got %q, want %q", int64(r), got, want)
		}
	}
}
