package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

const (
	// measureEvery is how often servers are asked.
	measureEvery = 30 * time.Second
	// loadLasts is how long a measurement speaks for the present: three scrapes.
	loadLasts = 3 * measureEvery
	// scrapesAtOnce bounds the connections, and what answers take of memory.
	scrapesAtOnce = 8

	// A pool is full from fullFrom of its stated throughput on, until it falls below fullUntil; or while more requests
	// wait than waitingFrom for each server, until half of those are left. So traffic does not flap.
	fullFrom, fullUntil = 0.95, 0.85
	waitingFrom         = 8
)

// Load is how busy a pool is, as its servers say. The zero value is of a pool that was not measured.
type Load struct {
	At       time.Time `json:"at,omitzero"` // of the measurement
	Servers  int       `json:"servers"`     // that the policy names
	Measured int       `json:"measured"`    // of those, the ones that answered

	// Known says that all servers were measured for long enough; Why says what is missing, "" if nothing is.
	Known           bool    `json:"known"`
	Why             string  `json:"why,omitempty"`
	TokensPerSecond float64 `json:"tokens_per_second"` // over the last minutes, of prompts and answers; 0 unless Known
	Utilisation     float64 `json:"utilisation"`       // share of the stated throughput, 1 is all; 0 unless Known

	// Of the servers that were measured.
	Running int64   `json:"running"` // requests in their batches
	Waiting int64   `json:"waiting"` // requests in their queues
	Cache   float64 `json:"cache"`   // share of the key-value cache that the fullest one uses

	Full bool `json:"full"` // more calls would queue
}

// TokensPerDay is what the pool would process in 24 hours at the measured rate; 0 unless Known.
func (l *Load) TokensPerDay() int64 {
	const secondsPerDay = 24 * 60 * 60
	return int64(min(math.Round(l.TokensPerSecond*secondsPerDay), 1<<62))
}

// at returns the load as it stands at now: a measurement of long ago says nothing.
func (l Load) at(now time.Time) Load {
	switch age := now.Sub(l.At).Abs(); {
	case l.At.IsZero():
		return Load{Why: "not measured"}
	case age > loadLasts:
		return Load{At: l.At, Why: "not measured since " + l.At.UTC().Format("2006-01-02 15:04 MST")}
	}
	return l
}

// settleFull decides whether the pool is full, given whether it was.
func (l *Load) settleFull(was bool) {
	most := waitingFrom * int64(l.Measured)
	switch {
	case l.Utilisation >= fullFrom || l.Waiting > most:
		l.Full = true
	case l.Utilisation < fullUntil && l.Waiting <= most/2:
		l.Full = false
	default:
		l.Full = was
	}
}

// Measure asks the servers of all pools for their load, every half minute until ctx ends. A server that does not
// answer, or does not answer as vLLM, SGLang or TGI do, leaves the load of its pool unknown. The rates assume that
// an address is one server. Only one Measure may run at a time.
func (p *Pools) Measure(ctx context.Context, now func() time.Time) {
	ticker := time.NewTicker(measureEvery)
	defer ticker.Stop()
	s := newSurvey()
	for {
		p.measure(ctx, s, now)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// measure asks every server once.
func (p *Pools) measure(ctx context.Context, s *survey, now func() time.Time) {
	pools := p.definitions()
	s.ask(ctx, pools, now)
	if ctx.Err() != nil {
		return
	}
	for i := range pools {
		p.setLoad(pools[i].Name, s.load(&pools[i], now()))
	}
}

func (p *Pools) definitions() []policies.Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []policies.Pool
	for _, q := range p.pools {
		all = append(all, q.def)
	}
	return all
}

// setLoad takes a measurement and tells the logger once when servers stop to answer.
func (p *Pools) setLoad(name policies.RouteName, l Load) {
	p.mu.Lock()
	q := p.pools[name]
	if q == nil {
		p.mu.Unlock()
		return
	}
	l.settleFull(q.load.at(l.At).Full)
	missed := l.Measured < l.Servers
	news := missed && !q.missed
	q.load, q.missed, p.dirty = l, missed, true
	p.mu.Unlock()
	if news {
		p.logger.LogAttrs(context.Background(), slog.LevelInfo, "pool not measured, its utilisation is unknown",
			slog.String("provider", string(name)), slog.String("err", l.Why))
	}
}

// survey is the servers of all pools by their addresses. It is for one goroutine.
type survey struct {
	client  *http.Client
	servers map[string]*server
}

func newSurvey() *survey { return &survey{client: newClient(), servers: map[string]*server{}} }

// ask scrapes every server once and forgets those that no pool names any more.
func (s *survey) ask(ctx context.Context, pools []policies.Pool, now func() time.Time) {
	servers := map[string]*server{}
	for i := range pools {
		for _, endpoint := range pools[i].Endpoints {
			if servers[endpoint] = s.servers[endpoint]; servers[endpoint] == nil {
				servers[endpoint] = &server{}
			}
		}
	}
	s.servers = servers
	var under sync.WaitGroup
	slots := make(chan struct{}, scrapesAtOnce)
	for endpoint, of := range servers {
		slots <- struct{}{}
		under.Go(func() {
			x, err := scrape(ctx, s.client, endpoint)
			x.at = now()
			of.add(x, err)
			<-slots
		})
	}
	under.Wait()
}

// load sums up the servers of a pool.
func (s *survey) load(def *policies.Pool, now time.Time) Load {
	l := Load{At: now, Servers: len(def.Endpoints), Known: true}
	for _, endpoint := range def.Endpoints {
		of := s.servers[endpoint]
		if x, ok := of.last(); ok {
			l.Measured++
			l.Running, l.Waiting, l.Cache = l.Running+x.running, l.Waiting+x.waiting, max(l.Cache, x.cache)
		}
		rates, err := of.rates()
		if err != nil {
			l.miss(endpoint, err)
			continue
		}
		for name, rate := range rates {
			l.TokensPerSecond += rate
			l.Utilisation += rate / float64(throughput(def, name))
		}
	}
	if !l.Known {
		l.TokensPerSecond, l.Utilisation = 0, 0
	}
	return l
}

// miss notes why a server says nothing of its rates; the first reason stands for all.
func (l *Load) miss(endpoint string, err error) {
	if l.Known {
		l.Known, l.Why = false, fmt.Sprintf("%s: %v", endpoint, err)
	}
}

// throughput is how many tokens per second the whole pool makes of a model by its servers' name for it. Compile refuses
// a pool without one.
func throughput(def *policies.Pool, name pricing.ModelName) int64 {
	if i := slices.IndexFunc(def.Models, func(m policies.PoolModel) bool { return m.Model == name }); i >= 0 {
		return max(def.Models[i].Throughput, 1)
	}
	return max(def.Throughput, 1)
}
