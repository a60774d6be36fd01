package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
)

const (
	workers      = 16 // calls under way at a time
	mostFailures = 10 // after which there is nothing to learn
)

// tally is what the clients of the application saw.
type tally struct {
	calls     int
	repeats   int
	refused   map[string]int // by team, for want of money
	decisions map[string]int // of answered calls, as Envoy's response header says: asked, tier, pool or replay
	failures  []error        // what should not have happened
}

// billed is how many calls a vendor answered.
func (t *tally) billed() int { return t.decisions["asked"] + t.decisions["tier"] }

// answer is what one call came to.
type answer struct {
	call     *call
	decision string
	refused  bool
	err      error
}

func (t *tally) add(a answer) {
	t.calls++
	if a.call.Repeat {
		t.repeats++
	}
	switch {
	case a.err != nil:
		t.failures = append(t.failures, a.err)
	case a.refused:
		t.refused[a.call.Team]++
	default:
		t.decisions[a.decision]++
	}
}

// drive sends the calls, a few at a time, day after day, and reports each to progress. It ends early when ctx ends or
// calls keep failing; the tally then holds what was done.
func drive(ctx context.Context, s *stack, all [days][]call, progress func(done, refused int)) (*tally, error) {
	t := &tally{refused: map[string]int{}, decisions: map[string]int{}}
	refused := 0
	for day, calls := range all {
		if day > 0 {
			if err := s.night(ctx); err != nil {
				return t, err
			}
		}
		dayCtx, cancel := context.WithCancel(ctx)
		for a := range send(dayCtx, s, calls) {
			if ctx.Err() != nil || len(t.failures) >= mostFailures {
				cancel()
				continue // until the workers have seen it
			}
			t.add(a)
			if a.refused {
				refused++
			}
			progress(t.calls, refused)
		}
		cancel()
		if ctx.Err() != nil || len(t.failures) >= mostFailures {
			return t, ctx.Err()
		}
	}
	return t, nil
}

// send has workers send the calls in order. The channel is closed when all are answered, or soon after ctx has ended.
func send(ctx context.Context, s *stack, calls []call) <-chan answer {
	todo, answers := make(chan *call), make(chan answer)
	go func() {
		defer close(todo)
		for i := range calls {
			select {
			case todo <- &calls[i]:
			case <-ctx.Done():
				return
			}
		}
	}()
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for c := range todo {
				answers <- s.send(ctx, c)
			}
		})
	}
	go func() { wait.Wait(); close(answers) }()
	return answers
}

// send makes one call through Envoy and reads the answer to its end.
func (s *stack) send(ctx context.Context, c *call) answer {
	a := answer{call: c}
	path, sent := c.request()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.gateway+path, bytes.NewReader(sent))
	if err != nil {
		a.err = err
		return a
	}
	c.API.sign(r.Header)
	r.Header.Set("x-team", c.Team)
	if c.Feature != runaway {
		r.Header.Set("x-farebox-feature", string(c.Feature))
	}
	resp, err := s.client.Do(r)
	if err != nil {
		a.err = err
		return a
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a.decision = resp.Header.Get("x-farebox-decision")
	a.refused = err == nil && resp.StatusCode == http.StatusTooManyRequests && bytes.Contains(body, []byte("spend limit reached"))
	if !a.refused && (err != nil || resp.StatusCode != http.StatusOK || !c.API.whole(body, c.Stream) || a.decision == "") {
		a.err = fmt.Errorf("%s of team %s at %s: status %d, decision %q, read %v, answer %.300q",
			c.Feature, c.Team, path, resp.StatusCode, a.decision, err, body)
	}
	return a
}
