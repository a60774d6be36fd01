package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

const (
	// findEvery is how often answers are looked for that were fetched through other replicas.
	findEvery = 3 * time.Second
	// answerVersion is that of seen. Another one may mean something else by the same names.
	answerVersion = 1
	// maxAnswer is the size of a seen answer that is believed, in bytes: several times what one can have.
	maxAnswer = 4 << 10
)

// seen is what a replica tells of an answer that was fetched through it: what the bill of the call depends on.
type seen struct {
	Version     int               `json:"v"`
	Status      int               `json:"status,omitempty"`
	Model       pricing.ModelName `json:"model,omitempty"`
	Usage       pricing.Usage     `json:"use"`
	HasUsage    bool              `json:"used,omitempty"`
	Complete    bool              `json:"whole,omitempty"`
	Failed      bool              `json:"failed,omitempty"`
	Service     pricing.Service   `json:"svc,omitempty"`
	HasTerms    bool              `json:"terms,omitempty"`
	Region      string            `json:"reg,omitempty"`
	Stated      pricing.Money     `json:"cost,omitempty"`
	HasStated   bool              `json:"stated,omitempty"`
	OtherModels bool              `json:"others,omitempty"`
	TextBytes   int64             `json:"text,omitempty"`
}

// shareAnswer tells other replicas of an answer whose call is not parked here.
func (x *Exchange) shareAnswer(r *provider.Reading) {
	text, err := json.Marshal(&seen{
		Version: answerVersion, Status: x.status.Code, Model: modelLabel(r.Model), Usage: r.Usage, HasUsage: r.HasUsage,
		Complete: r.Complete, Failed: r.Failed, Service: r.Service, HasTerms: r.HasTerms, Region: r.Region,
		Stated: r.Stated, HasStated: r.HasStated, OtherModels: r.OtherModels, TextBytes: r.TextBytes,
	})
	if err == nil && len(text) <= maxAnswer {
		x.c.ledger.ShareAnswer(x.parked, text)
	}
}

// errUnreadable says that what another replica told is not understood: its version is another one.
var errUnreadable = errors.New("answer told in an unknown form")

// reading returns what a replica saw, and the status of the response.
func reading(text []byte) (provider.Reading, int, error) {
	var s seen
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // a kind of usage that is not known here would be free
	if len(text) > maxAnswer || d.Decode(&s) != nil || d.More() || !s.valid() {
		return provider.Reading{}, 0, errUnreadable
	}
	return provider.Reading{
		Model: s.Model, Usage: s.Usage, HasUsage: s.HasUsage, Complete: s.Complete, Failed: s.Failed, Service: s.Service,
		HasTerms: s.HasTerms, Region: s.Region, Stated: s.Stated, HasStated: s.HasStated, OtherModels: s.OtherModels,
		TextBytes: s.TextBytes,
	}, s.Status, nil
}

// valid reports whether this is what shareAnswer writes: of an answer that is final and was given.
func (s *seen) valid() bool {
	for _, n := range s.Usage.All() {
		if n < 0 {
			return false
		}
	}
	return s.Version == answerVersion && s.Usage.LongestPrompt >= 0 && s.Stated >= 0 && s.TextBytes >= 0 &&
		s.Status < 400 && (s.HasUsage || s.Complete || s.Failed)
}

// Collect settles the calls whose answers were fetched through other replicas, until ctx is done.
func (c *Conductor) Collect(ctx context.Context) {
	if !c.ledger.SharesAnswers() {
		return
	}
	ticker := time.NewTicker(findEvery)
	defer ticker.Stop()
	unreadable := map[ledger.ID]bool{} // those that were logged: at most one for each parked call
	for {
		c.collect(ctx, unreadable)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// collect settles what other replicas saw.
func (c *Conductor) collect(ctx context.Context, unreadable map[ledger.ID]bool) {
	found := c.ledger.SharedAnswers(ctx)
	for id, text := range found {
		if err := c.settleSeen(id, text); err != nil && !unreadable[id] {
			unreadable[id] = true
			c.logger.LogAttrs(ctx, slog.LevelWarn, "background call not settled from another replica",
				slog.String("request_id", id.String()), slog.Any("err", err))
		}
	}
	for id := range unreadable {
		if found[id] == nil {
			delete(unreadable, id)
		}
	}
}

// settleSeen settles a parked call at what another replica saw, unless it is settled already. A bug of ours must not end
// the process, which would find the same again when it is back.
func (c *Conductor) settleSeen(id ledger.ID, text []byte) (err error) {
	defer func() {
		if bug := recover(); bug != nil {
			err = fmt.Errorf("internal error: %v", bug)
		}
	}()
	r, status, err := reading(text)
	if err != nil {
		return err
	}
	reservation, open := c.ledger.Reservation(id)
	if !open {
		return nil
	}
	x := c.Begin()
	x.id, x.status = id, Status{Code: status}
	x.resume(&reservation)
	x.settleAt(r, true, ledger.Cut, "")
	return nil
}
