package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// refillOf is when a refused call may come again.
func refillOf(t *testing.T, a answer) time.Time {
	t.Helper()
	if a.status != http.StatusTooManyRequests {
		t.Fatalf("status %d, want 429: %s", a.status, a.body)
	}
	at, err := time.Parse(time.RFC3339, a.header.Get("x-farebox-refills"))
	if err != nil {
		t.Fatalf("x-farebox-refills: %v", err)
	}
	return at
}

func TestABudgetRefillsWhenItsWindowEnds(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi"))
	for window, ends := range map[string]func(now time.Time) time.Time{
		"hour": func(now time.Time) time.Time { return now.UTC().Truncate(time.Hour).Add(time.Hour) },
		"week": func(now time.Time) time.Time {
			day := now.UTC().Truncate(24 * time.Hour)
			return day.AddDate(0, 0, 7-(int(day.Weekday())+6)%7)
		},
	} {
		t.Run(window, func(t *testing.T) {
			s := newStack(t, setup{policy: strings.Replace(limitedTo(bound(t, c)), "per day", "per "+window, 1)})
			const both = 2 * time.Minute // the most that the two calls take
			if next := ends(time.Now()); time.Until(next) < both {
				time.Sleep(time.Until(next.Add(time.Second))) // they must fall into one window
			}
			want := ends(time.Now())
			s.ok(t, c)
			if at := refillOf(t, s.send(t, c)); !at.Equal(want) {
				t.Errorf("refills at %s, want %s", at, want)
			}
		})
	}
}

// TestARollingWindowForgetsWhatIsOlder waits for more than a minute, the shortest that there is.
func TestARollingWindowForgetsWhatIsOlder(t *testing.T) {
	c := chat(ask("gpt-4o", "Hi"))
	s := newStack(t, setup{policy: strings.Replace(limitedTo(bound(t, c)), "per day", "per rolling 1m", 1)})
	began := time.Now()
	s.ok(t, c)
	booked := time.Now()
	at := refillOf(t, s.send(t, c))
	if at.Before(began.Add(time.Minute-time.Second)) || at.After(booked.Add(time.Minute+5*time.Second)) {
		t.Errorf("refills at %s, want it a minute after a call between %s and %s", at, began, booked)
	}
	time.Sleep(time.Until(began.Add(30 * time.Second)))
	refillOf(t, s.send(t, c))
	time.Sleep(time.Until(at))
	eventually(t, "the window has moved on", func() bool { return s.send(t, c).status == http.StatusOK })
	if b := s.summary(t).budget(t); b.Reserved != 0 || b.Spent == 0 || b.Spent*2 > s.provider.total(t).CostNanos+1 {
		t.Errorf("budget %+v after two calls of %s USD, want what one cost", b, s.provider.total(t).CostNanos)
	}
}
