package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// A call is a request that was admitted: from here on it is answered and billed.
type call struct {
	id      string // of the response
	api     string
	model   *model
	shown   string // the model name that the response carries
	created int64  // Unix seconds
	input   usage  // output only where it is no text
	answers []answer
	stream  bool
	noUsage bool
	factor  string // on the price of its tokens
	class   string // of service, as the vendor bills it; "" is the vendor's usual one
	region  string // where it was processed, if that was asked
	always  bool   // goes on, and is billed in full, when its client has gone
	publish func() // makes the call's cache writes readable; called once, when the answer begins
	request string // the caller's id for this call
}

// A draft is a call before its answer is made.
type draft struct {
	api, prefix string // name of the API; prefix of response ids
	model       *model
	shown       string
	prompt      *prompt
	ask         ask
	choices     int // answers wanted; 0 is 1
	stream      bool
	cache       cacheRequest // key, life and off, as the caller asked
	searches    int          // of the web, which the model makes before it answers
	class       string       // of service, as the caller asked
	region      string       // as the caller asked
}

// newCall divides the prompt by the cache and generates the answers.
func (s *server) newCall(in *inbound, d draft) *call {
	d.cache.model, d.cache.caller, d.cache.prompt, d.cache.number = d.model, caller(in), d.prompt, in.number
	plan := s.cache.plan(d.cache)
	c := &call{
		id:      d.prefix + s.token(in.number, d.api)[:28],
		api:     d.api,
		model:   d.model,
		shown:   d.shown,
		created: s.clock.now().Unix(),
		input:   plan.usage(len(d.prompt.tokens)),
		stream:  d.stream,
		noUsage: in.fault.noUsage,
		publish: plan.publish,
		request: requestID(in),
	}
	c.setTerms(s, &d)
	d.ask.limit = d.outputLimit()
	if in.r.Header.Get("x-test-overshoot") == "1" {
		d.ask.limit = -1
	}
	sum := d.prompt.whole()
	for i := range max(1, d.choices) {
		c.answers = append(c.answers, d.ask.generate(s.cfg.seed, d.model, sum, i))
	}
	return c
}

// searchTokens is what the model reads of each search's results.
const searchTokens = 50

// setTerms settles what decides the price besides tokens. After each search the model reads its prompt, and what it
// found, anew. A class of service or region that the model is not sold in is the usual one.
func (c *call) setTerms(s *server, d *draft) {
	c.factor = "1"
	if factor, ok := d.model.Classes[d.class]; ok {
		c.class, c.factor = d.class, factor
	}
	if factor, ok := d.model.Regions[d.region]; ok {
		c.region, c.factor = d.region, factor
	}
	if d.model.House == deepseek && peak(s.clock.now()) {
		c.factor = "2"
	}
	if d.model.Price != nil && d.model.Price.Search != "" {
		c.input.Searches = d.searches
		c.input.Input += d.searches * (d.prompt.length() + searchTokens)
	}
}

// peak is when DeepSeek asks twice its price: 01:00 to 04:00 and 06:00 to 10:00 UTC from Monday to Friday. Chinese
// holidays are not known here.
func peak(at time.Time) bool {
	at = at.UTC()
	if day := at.Weekday(); day == time.Saturday || day == time.Sunday {
		return false
	}
	h := at.Hour()
	return h >= 1 && h < 4 || h >= 6 && h < 10
}

// outputLimit is the least of the caller's cap, the model's maximum and what the window leaves; negative is none.
func (d *draft) outputLimit() int {
	limit := d.ask.limit
	if d.model.MaxOutput > 0 && (limit < 0 || limit > d.model.MaxOutput) {
		limit = d.model.MaxOutput
	}
	window := max(d.model.Window, d.model.WideWindow)
	if left := max(0, window-len(d.prompt.tokens)); window > 0 && (limit < 0 || limit > left) {
		limit = left
	}
	return limit
}

// usage is what the whole answer costs.
func (c *call) usage() usage {
	u := c.input
	said, reasoning := outputOf(c.answers)
	u.Output, u.Reasoning = u.Output+said, reasoning
	return u
}

// A dialect renders the answer of one API: as a whole, or as a stream of which last is the final event.
type dialect interface {
	contentType(stream bool) string
	whole(c *call) []byte
	stream(c *call, out *sink) error
	last(c *call) []byte
}

// answer sends what d makes of c, through the faults that were ordered, and bills it before the last byte is out.
func (s *server) answer(in *inbound, c *call, d dialect) *apiError {
	out := newSink(in.r.Context(), in.w, s.cfg.delay, in.fault)
	err := out.wait(s.cfg.first + in.fault.hang)
	if err == nil {
		in.w.Header().Set("content-type", d.contentType(c.stream))
		c.publish()
		if c.stream {
			err = s.sendStream(in, c, d, out)
		} else {
			err = s.sendWhole(in, c, d, out)
		}
	} else {
		s.billCancelled(in, c, out, err)
	}
	if errors.Is(err, errCut) {
		// The only way to end a response without its terminating chunk; the server does not log it.
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (s *server) sendWhole(in *inbound, c *call, d dialect, out *sink) error {
	body := d.whole(c)
	if in.fault.garbage {
		body = []byte("{\"id\": \"" + c.id + "\", <<< this is not JSON\x00\xff")
	}
	if !in.fault.compress {
		in.w.Header().Set("content-length", strconv.Itoa(len(body)))
	}
	rest, err := out.head(body)
	if err != nil {
		s.billCancelled(in, c, out, err)
		return err
	}
	s.bill(c, c.usage(), false)
	return out.end(rest)
}

func (s *server) sendStream(in *inbound, c *call, d dialect, out *sink) error {
	in.w.Header().Set("cache-control", "no-cache")
	if in.fault.garbage {
		s.bill(c, c.usage(), false)
		return out.end([]byte("data: {\"id\": <<< this is not JSON\x00\xff\n\n"))
	}
	err := d.stream(c, out)
	if err == nil {
		err = out.prepare()
	}
	if err != nil {
		s.billCancelled(in, c, out, err)
		return err
	}
	s.bill(c, c.usage(), false)
	return out.end(d.last(c))
}

// billCancelled bills an answer that ended early: its input, what was generated, and for a stream whose client has
// gone what the model generates before it notices. An answer that is not streamed is generated in full.
func (s *server) billCancelled(in *inbound, c *call, out *sink, why error) {
	u := c.usage()
	if c.stream && !c.always {
		generated := out.tokens
		if errors.Is(why, errGone) {
			generated += s.cfg.overrun
		}
		u.Output, u.Reasoning = outputUpTo(c.answers, generated)
	}
	s.bill(c, u, true)
	slog.Debug("answer ended early", "request", in.id, "model", c.shown, "reason", why)
}

// cost is what the call costs with that usage, in nano-dollars.
func (c *call) cost(u usage) int64 {
	nanos, err := c.model.cost(u, c.factor)
	if err != nil {
		// loadModels has tried every price.
		panic(fmt.Sprintf("internal error: %v", err))
	}
	return nanos
}

func (s *server) bill(c *call, u usage, cancelled bool) {
	s.invoice.add(billed{ID: c.id, API: c.api, Model: c.shown, Usage: u, CostNanos: c.cost(u), Cancelled: cancelled, RequestID: c.request})
}
