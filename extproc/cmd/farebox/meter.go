package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// maxRecord bounds one line of input, in bytes: the largest body that a Meter keeps, in base64, several times.
const maxRecord = 256 << 20

// record is a recorded exchange, one line of input. Only URL and Body are required.
type record struct {
	ID           json.RawMessage   `json:"id"` // echoed as it is
	URL          string            `json:"url"`
	Model        pricing.ModelName `json:"model"` // as requested
	Status       int               `json:"status"`
	Body         json.RawMessage   `json:"body"` // a string, or the JSON itself
	BodyEncoding string            `json:"body_encoding"`
	At           string            `json:"at"` // RFC 3339
}

// metered is what an exchange cost and why, one line of output.
type metered struct {
	ID        json.RawMessage      `json:"id"`
	Provider  pricing.ProviderName `json:"provider"`
	API       provider.API         `json:"api"`
	Model     pricing.ModelName    `json:"model"`
	Usage     *meteredUsage        `json:"usage"`
	CostUSD   *string              `json:"cost_usd"` // null: not known
	Price     *meteredPrice        `json:"price"`
	Estimated bool                 `json:"estimated,omitempty"`
	Error     string               `json:"error,omitempty"`
}

// meteredUsage is pricing.Usage: disjoint kinds, except that reasoning is part of output. The first six are always
// there, the others where they are not zero.
type meteredUsage pricing.Usage

// MarshalJSON writes the kinds by name, in their order.
func (u *meteredUsage) MarshalJSON() ([]byte, error) {
	const always = 6
	b, i := []byte{'{'}, 0
	for kind, count := range pricing.Usage(*u).All() {
		if i < always || count != 0 {
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(append(strconv.AppendQuote(b, kind), ':'), count, 10)
		}
		i++
	}
	return append(b, '}'), nil
}

// meteredPrice is the rates that applied, in dollars per million tokens, and where they were read.
type meteredPrice struct {
	Model           pricing.ModelName `json:"model"`
	Input           string            `json:"input"`
	CacheRead       string            `json:"cache_read"`
	CacheWriteShort string            `json:"cache_write_short"`
	CacheWriteLong  string            `json:"cache_write_long"`
	Output          string            `json:"output"`
	LongContext     bool              `json:"long_context,omitempty"` // the rates for long prompts
	Source          string            `json:"source"`
	AsOf            string            `json:"as_of"`
}

// runMeter says for each recorded exchange on stdin what it cost. A record that cannot be read or priced gets a
// line that says so; only unreadable input and unwritable output end with a status other than 0.
func runMeter(_ context.Context, args []string, e env) int {
	f := flags("meter", "meter < records.jsonl", e)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if f.NArg() > 0 {
		f.Usage()
		return statusUsage
	}
	in := bufio.NewReaderSize(e.stdin, 64<<10)
	out := json.NewEncoder(e.stdout)
	out.SetEscapeHTML(false)
	for number := 1; ; number++ {
		line, tooLong, err := readRecord(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return e.fail(fmt.Errorf("read line %d: %w", number, err))
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := out.Encode(meterLine(line, tooLong, number, e.now)); err != nil {
				return e.fail(fmt.Errorf("write line %d: %w", number, err))
			}
		}
		if err != nil {
			return statusOK
		}
	}
}

// readRecord returns the next line, of one above maxRecord a part. The error is io.EOF with the last line.
func readRecord(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxRecord {
			tooLong = true
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

// meterLine meters one line of input.
func meterLine(line []byte, tooLong bool, number int, now func() time.Time) metered {
	if tooLong {
		return metered{Error: fmt.Sprintf("line %d: longer than %d MiB", number, maxRecord>>20)}
	}
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return metered{ID: r.ID, Error: fmt.Sprintf("line %d: %v", number, err)}
	}
	m, err := r.meter(now)
	m.ID = r.ID
	if err != nil {
		m.Error = err.Error()
	}
	return m
}

// meter says what the exchange cost. With an error it returns what is known all the same.
func (r *record) meter(now func() time.Time) (metered, error) {
	at := now()
	if r.At != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, r.At); err != nil {
			return metered{}, fmt.Errorf("at: %w", err)
		}
	}
	vendor, endpoint, err := identify(r.URL)
	if err != nil {
		return metered{}, err
	}
	m := metered{Provider: vendor, API: endpoint.API}
	requested := r.Model
	if requested == "" {
		requested = endpoint.Model
	}
	m.Model = requested
	if endpoint.API == "" {
		return m, fmt.Errorf("no API that farebox reads at url %q", r.URL)
	}
	body, err := r.body()
	if err != nil {
		return m, err
	}
	meter := provider.NewMeter(endpoint, vendor)
	meter.Write(body)
	reading := meter.Close()
	if reading.Model != "" {
		m.Model = reading.Model
	}
	return m, m.charge(r.Status, reading, requested, at)
}

// identify says who serves a URL and which API it is. The URL may lack its scheme, and its host.
func identify(raw string) (pricing.ProviderName, provider.Endpoint, error) {
	if raw == "" {
		return "", provider.Endpoint{}, errors.New("url is missing")
	}
	if !strings.HasPrefix(raw, "/") && !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", provider.Endpoint{}, err
	}
	endpoint := provider.ParsePath(u.RequestURI())
	vendor, ok := catalog.ProviderOf(u.Host)
	if !ok {
		vendor = endpoint.API.Vendor()
	}
	return vendor, endpoint, nil
}

// body returns the bytes of the response as they were on the wire.
func (r *record) body() ([]byte, error) {
	if len(r.Body) == 0 {
		return nil, errors.New("body is missing")
	}
	if r.Body[0] != '"' {
		return r.Body, nil
	}
	var text string
	if err := json.Unmarshal(r.Body, &text); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	switch r.BodyEncoding {
	case "":
		return []byte(text), nil
	case "base64":
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("body_encoding %q: want base64 or none", r.BodyEncoding)
}

// charge sets usage, price and cost. It looks for the price of the model that answered, else of the one that was
// asked for.
func (m *metered) charge(status int, reading provider.Reading, requested pricing.ModelName, at time.Time) error {
	usage := reading.Usage
	switch {
	case status >= 400 || (reading.Failed && !reading.HasUsage && !reading.Stream):
		usage = pricing.Usage{} // errors are not billed
	case !reading.HasUsage:
		m.Estimated = true
		usage.Output = max(usage.Output, provider.EstimateTokens(reading.TextBytes))
	}
	m.Usage = (*meteredUsage)(&usage)
	listing := catalog.Table().Lookup(m.Provider, m.Model, at)
	if listing == nil {
		listing = catalog.Table().Lookup(m.Provider, requested, at)
	}
	if listing != nil {
		m.Price = priceOf(listing, usage)
	}
	switch {
	case usage == (pricing.Usage{}) && m.Estimated:
		return errors.New("the response states no usage, and has no text to estimate from")
	case listing != nil:
		cost, err := listing.Price.Cost(usage)
		if err != nil {
			return err
		}
		m.setCost(cost)
	case usage == (pricing.Usage{}):
		m.setCost(0) // whatever the model, nothing was used
	case m.Model == "":
		return errors.New("neither the response nor the record names the model")
	default:
		return fmt.Errorf("no price for model %q of provider %q", m.Model, m.Provider)
	}
	return nil
}

func (m *metered) setCost(cost pricing.Money) {
	text := cost.String()
	m.CostUSD = &text
}

// priceOf returns the rates of a listing that apply to a call with that usage.
func priceOf(l *pricing.Listing, u pricing.Usage) *meteredPrice {
	rates := l.Price.RatesFor(u.Prompt())
	long := len(l.Price.Brackets) > 0 && u.Prompt() > l.Price.Brackets[0].Above
	return &meteredPrice{
		Model:           l.Model,
		Input:           rates.Input.String(),
		CacheRead:       rates.CacheRead.String(),
		CacheWriteShort: rates.CacheWriteShort.String(),
		CacheWriteLong:  rates.CacheWriteLong.String(),
		Output:          rates.Output.String(),
		LongContext:     long,
		Source:          l.Source,
		AsOf:            l.AsOf,
	}
}
