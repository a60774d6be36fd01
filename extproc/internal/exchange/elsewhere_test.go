package exchange

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// board is lease.Answers in memory.
type board struct {
	mu    sync.Mutex
	texts map[string][]byte
	away  bool
}

func (b *board) Put(_ context.Context, answers []lease.Answer, _ time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return errors.New("away")
	}
	for _, a := range answers {
		b.texts[a.Key] = a.Text
	}
	return nil
}

func (b *board) Get(_ context.Context, keys []string) ([][]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return nil, errors.New("away")
	}
	texts := make([][]byte, len(keys))
	for i, key := range keys {
		texts[i] = b.texts[key]
	}
	return texts, nil
}

// twins are two replicas with the same policy.
func twins(t *testing.T) (a, b *world, on *board) {
	t.Helper()
	on = &board{texts: map[string][]byte{}}
	a, b = newWorld(t, limited), newWorld(t, limited)
	for _, w := range []*world{a, b} {
		w.options.Answers = on
		w.reopen(t, noon)
	}
	return a, b, on
}

// look has a replica settle what others saw.
func (w *world) look(t *testing.T) { w.collect(t.Context(), map[ledger.ID]bool{}) }

func TestAnAnswerThatIsFetchedThroughAnotherReplicaSettlesTheCall(t *testing.T) {
	const cost pricing.Money = 3_500_000
	for _, tt := range []struct {
		name string
		do   func(a, b *world)
	}{
		{"through the other one", func(a, b *world) {
			b.fetched(t, "resp_1", queued, good) // not ready
			b.fetched(t, "resp_1", made, good)
			b.reopen(t, noon) // which tells what there is to tell
			a.look(t)
			a.look(t)
		}},
		{"through both, here first", func(a, b *world) {
			a.fetched(t, "resp_1", made, good)
			b.fetched(t, "resp_1", made, good)
			b.reopen(t, noon)
			a.look(t)
		}},
		{"through both, there first", func(a, b *world) {
			b.fetched(t, "resp_1", made, good)
			b.reopen(t, noon)
			a.fetched(t, "resp_1", made, good)
			a.look(t)
		}},
		{"while its own is away, for longer than it is parked", func(a, b *world) {
			b.fetched(t, "resp_1", made, good)
			b.reopen(t, noon)
			a.reopen(t, noon.Add(25*time.Hour))
			a.look(t)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b, _ := twins(t)
			a.posted(t, 1)
			tt.do(a, b)
			if e := a.entry(t); e.Cost != cost || e.Estimated || e.Outcome != ledger.OK || !e.At.Equal(noon) || e.Responded != "gpt-4o" {
				t.Errorf("entry %+v, want the answer's %s USD", e, cost)
			}
			if list := b.entries(t); len(list) != 0 {
				t.Errorf("the other replica has entries %+v", list)
			}
			if s := a.books.Stats(); s.Open != 0 || s.Parked != 0 {
				t.Errorf("%+v, want nothing open", s)
			}
			if n := a.metric(t, "farebox_requests_total"); n != 1 {
				t.Errorf("%g calls in the metrics, want 1", n)
			}
		})
	}
}

func TestWhatSettlesNoCallOfAnotherReplica(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(b *world, on *board)
	}{
		{"an error of the provider", func(b *world, _ *board) { b.fetched(t, "resp_1", made, Status{Code: 404}) }},
		{"an answer that was cut", func(b *world, _ *board) { b.fetched(t, "resp_1", made[:len(made)/2], good) }},
		{"another answer", func(b *world, _ *board) { b.fetched(t, "resp_2", made, good) }},
		{"a text of another version", func(_ *world, on *board) { on.texts["openai resp_1"] = []byte(`{"v":2,"used":true}`) }},
		{"no text of ours", func(_ *world, on *board) { on.texts["openai resp_1"] = []byte("{") }},
		{"less than nothing", func(_ *world, on *board) {
			on.texts["openai resp_1"] = []byte(`{"v":1,"used":true,"use":{"Output":-1}}`)
		}},
		{"a kind of usage that is not known here", func(_ *world, on *board) {
			on.texts["openai resp_1"] = []byte(`{"v":1,"used":true,"use":{"Input":1,"Smells":5}}`)
		}},
		{"a prompt of less than nothing", func(_ *world, on *board) {
			on.texts["openai resp_1"] = []byte(`{"v":1,"used":true,"use":{"LongestPrompt":-1}}`)
		}},
		{"an error that nobody tells", func(_ *world, on *board) {
			on.texts["openai resp_1"] = []byte(`{"v":1,"status":404,"used":true,"use":{}}`)
		}},
		{"an answer that is not final", func(_ *world, on *board) { on.texts["openai resp_1"] = []byte(`{"v":1,"status":200,"use":{}}`) }},
		{"a store that is away", func(b *world, on *board) {
			on.away = true
			b.fetched(t, "resp_1", made, good)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b, on := twins(t)
			a.posted(t, 1)
			tt.do(b, on)
			b.reopen(t, noon)
			a.look(t)
			if s := a.books.Stats(); s.Parked != 1 || len(a.entries(t)) != 0 {
				t.Errorf("%+v, want the call parked", s)
			}
			a.reopen(t, noon.Add(48*time.Hour))
			a.look(t)
			if s := a.books.Stats(); s.Parked != 1 {
				t.Errorf("%+v, want it parked until the store was asked for a while", s)
			}
			a.options.Answers = nil
			a.reopen(t, noon.Add(49*time.Hour))
			if e := a.entry(t); e.Outcome != ledger.Lost || e.Counted != e.Bound {
				t.Errorf("entry %+v, want it at its bound", e)
			}
		})
	}
}

// TestWhatIsSeenOfAnAnswerIsTold: every part of a reading that the bill depends on.
func TestWhatIsSeenOfAnAnswerIsTold(t *testing.T) {
	_, b, on := twins(t)
	want := provider.Reading{
		Model: "gpt-4o", Usage: pricing.Usage{LongestPrompt: 9}, HasUsage: true, Complete: true, Failed: true, Service: "flex",
		HasTerms: true, Region: "eu", Stated: 5, HasStated: true, OtherModels: true, TextBytes: 7,
	}
	for i := range reflect.TypeFor[pricing.Usage]().NumField() {
		reflect.ValueOf(&want.Usage).Elem().Field(i).SetInt(int64(i + 1))
	}
	x := b.Begin()
	x.parked, x.status.Code = "openai resp_1", 200
	x.shareAnswer(&want)
	b.reopen(t, noon)
	got, status, err := reading(on.texts["openai resp_1"])
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" || status != 200 {
		t.Errorf("status %d, reading (-want +got):\n%s", status, diff)
	}
	long := want
	long.Region = strings.Repeat("x", maxAnswer)
	x.parked = "openai resp_2"
	x.shareAnswer(&long)
	b.reopen(t, noon)
	if text := on.texts["openai resp_2"]; text != nil {
		t.Errorf("told %d bytes, want none above %d", len(text), maxAnswer)
	}
}
