package upstream

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farebox-mesh/farebox/policies"
)

// engine is a server that speaks as vLLM does.
type engine struct {
	*httptest.Server
	mu      sync.Mutex
	started int            // guarded by mu
	tokens  map[string]int // guarded by mu: by model
	waiting int            // guarded by mu
	broken  bool           // guarded by mu
}

func newEngine(t *testing.T) *engine {
	e := &engine{started: 1, tokens: map[string]int{"llama": 0}}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.broken {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "process_start_time_seconds %d\nvllm:num_requests_running 1\nvllm:num_requests_waiting %d\nvllm:kv_cache_usage_perc 0.5\n", e.started, e.waiting)
		for name, n := range e.tokens {
			fmt.Fprintf(w, "vllm:prompt_tokens_total{model_name=%q} %d\nvllm:generation_tokens_total{model_name=%q} %d\n", name, n-n/4, name, n/4)
		}
	}))
	t.Cleanup(e.Close)
	return e
}

// set changes what the engine says.
func (e *engine) set(change func(e *engine)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e)
}

// works adds tokens.
func (e *engine) works(model string, n int) { e.set(func(e *engine) { e.tokens[model] += n }) }

// measured asks the servers of a pool's only policy at a moment after noon.
func measured(t *testing.T, p *Pools, s *survey, after time.Duration) Load {
	t.Helper()
	now := noon.Add(after)
	p.measure(t.Context(), s, func() time.Time { return now })
	return p.Status(now)[0].Load
}

// ofEngines is a pool of 1000 tokens per second, and 2000 of the model "quick".
func ofEngines(engines ...*engine) policies.Pool {
	def := policies.Pool{
		Name: "gpu", GPUHour: 1, GPUs: 1, Throughput: 1000, Use: policies.WhenCheaper,
		Models: []policies.PoolModel{{Model: "quick", Quantisation: "fp8", Throughput: 2000}},
	}
	for _, e := range engines {
		def.Endpoints = append(def.Endpoints, e.URL)
	}
	return def
}

func TestUtilisationIsOfTheLastMinutes(t *testing.T) {
	one, two := newEngine(t), newEngine(t)
	p, s := newPools(t, "", ofEngines(one, two)), newSurvey()
	one.works("llama", 1_000_000) // long ago
	load := measured(t, p, s, 0)
	if want := (Load{At: noon, Servers: 2, Measured: 2, Why: one.URL + ": measured for less than a minute", Running: 2, Cache: 0.5}); load != want {
		t.Errorf("%+v, want %+v", load, want)
	}
	one.works("llama", 6_000) // 100 a second: 10%
	two.works("quick", 24_000)
	load = measured(t, p, s, time.Minute)
	want := Load{At: noon.Add(time.Minute), Servers: 2, Measured: 2, Known: true, TokensPerSecond: 500, Utilisation: 0.3, Running: 2, Cache: 0.5}
	if diff := cmp.Diff(want, load, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("after a minute (-want +got):\n%s", diff)
	}
	if got := load.TokensPerDay(); got != 43_200_000 {
		t.Errorf("%d tokens per day", got)
	}
	for i := range 10 { // what was busy is forgotten
		load = measured(t, p, s, time.Minute+time.Duration(i+1)*measureEvery)
	}
	if !load.Known || load.TokensPerSecond != 0 {
		t.Errorf("after five idle minutes: %+v", load)
	}
}

func TestUnknownUtilisationSaysWhy(t *testing.T) {
	e := newEngine(t)
	for _, tt := range []struct {
		name   string
		happen func(n int)
		why    string
		full   bool
	}{
		{"down", func(int) { e.set(func(e *engine) { e.broken = true }) }, "answered 503", false},
		{"up again, with a queue", func(int) { e.set(func(e *engine) { e.broken, e.waiting = false, 9 }) }, "", true},
		{"restarted", func(n int) {
			if n == 9 {
				e.set(func(e *engine) { e.started, e.tokens["llama"] = 2, 10 })
			}
		}, "less than a minute", true},
		{"half of the queue", func(int) { e.set(func(e *engine) { e.waiting = 4 }) }, "", false},
		{"behind a balancer", func(n int) { e.set(func(e *engine) { e.started = n % 2 }) }, "several servers answer on one address", false},
		{"without start times", func(n int) { e.set(func(e *engine) { e.started, e.tokens["llama"] = 0, n%3*1000 }) }, "several servers answer on one address", false},
		{"quiet", func(int) { e.set(func(e *engine) { e.tokens["llama"] = 0 }) }, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, s := newPools(t, "", ofEngines(e)), newSurvey()
			var load Load
			for n := range 11 {
				tt.happen(n)
				load = measured(t, p, s, time.Duration(n)*measureEvery)
			}
			if load.Known != (tt.why == "") || !strings.Contains(load.Why, tt.why) || load.Full != tt.full {
				t.Errorf("%+v, want full %t because %q", load, tt.full, tt.why)
			}
		})
	}
}

func TestAFullPoolIsNotPreferred(t *testing.T) {
	e := newEngine(t)
	p, s := newPools(t, "", ofEngines(e)), newSurvey()
	p.Observe("gpu", 1_000_000, 1, noon)
	at := time.Duration(0)
	for _, step := range []struct {
		name    string
		rate    int // tokens per second from now on, for longer than the window
		waiting int
		full    bool
	}{
		{"idle", 0, 0, false},
		{"94%", 940, 0, false},
		{"95%", 950, 0, true},
		{"still above 85%", 860, 0, true},
		{"below 85%", 840, 0, false},
		{"eight wait", 840, 8, false},
		{"nine wait", 840, 9, true},
		{"five wait", 840, 5, true},
		{"four wait", 840, 4, false},
	} {
		for range 11 {
			at += measureEvery
			e.works("llama", step.rate*30)
			e.set(func(e *engine) { e.waiting = step.waiting })
			measured(t, p, s, at)
		}
		now := noon.Add(at)
		if got := p.Cheaper("gpu", now); got == step.full {
			t.Errorf("%s: cheaper = %t; %+v", step.name, got, p.Status(now))
		}
	}
	e.set(func(e *engine) { e.waiting = 100 })
	measured(t, p, s, at)
	later := noon.Add(at + loadLasts)
	if p.Cheaper("gpu", later) {
		t.Error("cheaper, though it was full when last measured")
	}
	later = later.Add(time.Second)
	if !p.Cheaper("gpu", later) {
		t.Errorf("a measurement of long ago counts: %+v", p.Status(later))
	}
}

func TestAMissIsLoggedOnce(t *testing.T) {
	e := newEngine(t)
	var out bytes.Buffer
	p := Open("", noon, slog.New(slog.NewTextHandler(&out, nil)))
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	p.SetPools([]policies.Pool{ofEngines(e)})
	s := newSurvey()
	for n, broken := range []bool{false, true, true, false, true} {
		e.set(func(e *engine) { e.broken = broken })
		measured(t, p, s, time.Duration(n)*measureEvery)
	}
	if got := strings.Count(out.String(), `msg="pool not measured, its utilisation is unknown" provider=gpu err=`); got != 2 || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%d lines, want one for each of two outages:\n%s", got, &out)
	}
}

func TestTheLoadOutlivesTheProcess(t *testing.T) {
	e, dir := newEngine(t), t.TempDir()
	p := newPools(t, dir, ofEngines(e))
	e.set(func(e *engine) { e.waiting = 9 })
	want := measured(t, p, newSurvey(), 0)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	read, err := Read(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	read.SetPools([]policies.Pool{ofEngines(e)})
	if got := read.Status(noon)[0].Load; got != want || !got.Full {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := read.Status(noon.Add(time.Hour))[0].Load; got.Full || got.Why != "not measured since 2026-11-22 12:00 UTC" {
		t.Errorf("an hour later: %+v", got)
	}
}

func TestMeasureAsksAtOnceAndEndsWithItsContext(t *testing.T) {
	e := newEngine(t)
	p := newPools(t, "", ofEngines(e), policies.Pool{Name: "other", Endpoints: []string{e.URL, "http://127.0.0.1:1"}, Throughput: 1})
	ctx, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { p.Measure(ctx, time.Now) })
	for p.Status(time.Now())[0].Load.At.IsZero() {
		p.SetPools([]policies.Pool{ofEngines(e)})
		p.Observe("gpu", 1, 1, time.Now())
		time.Sleep(time.Millisecond)
	}
	stop()
	ended.Wait()
	if got := p.Status(time.Now())[0].Load; got.Measured != 1 {
		t.Errorf("%+v", got)
	}
}
