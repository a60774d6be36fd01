package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
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
	Headers      map[string]header `json:"headers"` // of the response
	Body         json.RawMessage   `json:"body"`    // a string, or the JSON itself
	BodyEncoding string            `json:"body_encoding"`
	At           string            `json:"at"` // RFC 3339
}

// header is the value of a header, or a list of them; further values of one header are not looked at.
type header string

// UnmarshalJSON reads either.
func (h *header) UnmarshalJSON(b []byte) error {
	var values []string
	if err := json.Unmarshal(b, &values); err == nil && len(values) > 0 {
		*h = header(values[0])
		return nil
	}
	var value any
	if err := json.Unmarshal(b, &value); err != nil {
		return err
	}
	switch value.(type) {
	case string, float64, bool:
		*h = header(strings.Trim(string(b), `"`))
	}
	return nil
}

// runMeter says for each recorded exchange on stdin what it cost. A record that cannot be read or priced gets a
// line that says so; only unreadable input and unwritable output end with a status other than 0.
func runMeter(_ context.Context, args []string, e env) int {
	f := flags("meter", "meter < records.jsonl", e)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if wrong := onlyFlags(f); wrong != "" {
		return misused(f, wrong)
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
	from, err := identify(r.URL)
	if err != nil {
		return metered{}, err
	}
	m := metered{Provider: from.vendor, API: from.API, Model: cmp.Or(r.Model, from.Model)}
	if from.API == "" {
		return m, fmt.Errorf("no API that farebox reads at url %q", r.URL)
	}
	body, err := r.body()
	if err != nil {
		return m, err
	}
	meter := provider.NewMeter(from.Endpoint, from.vendor)
	for name, value := range r.Headers {
		meter.Header(name, string(value))
	}
	meter.Write(body)
	reading := meter.Close()
	m.Model = cmp.Or(reading.Model, m.Model)
	m.Service, m.Region = reading.Service, cmp.Or(reading.Region, from.region)
	return m, m.charge(r.Status, &reading, from.names(reading.Model, r.Model), at)
}

// origin is what a URL says of who served a call and how.
type origin struct {
	provider.Endpoint
	vendor pricing.ProviderName
	region string // where the URL names the place of processing, which some vendors charge for
}

// furtherHosts serve the models of others, and have no prices of their own in the catalogue.
var furtherHosts = map[string]pricing.ProviderName{
	"ai-gateway.vercel.sh":  provider.Vercel,
	"router.huggingface.co": "huggingface",
	"api.perplexity.ai":     provider.Perplexity,
}

// identify reads a URL, which may lack its scheme, and its host.
func identify(raw string) (origin, error) {
	if raw == "" {
		return origin{}, errors.New("url is missing")
	}
	if !strings.HasPrefix(raw, "/") && !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return origin{}, err
	}
	o := origin{Endpoint: provider.ParsePath(u.RequestURI())}
	vendor, known := catalog.ProviderOf(u.Host)
	if !known {
		vendor, known = furtherHosts[strings.ToLower(u.Hostname())]
	}
	if !known {
		vendor = sellerOf(&o.Endpoint)
	}
	o.vendor, o.region = vendor, regionOf(vendor, strings.ToLower(u.Hostname()), u.Path)
	return o, nil
}

// sellerOf is whose an endpoint must be where the host does not tell: of those with the model in the path Azure's
// and Vertex AI's, and else the API's own vendor.
func sellerOf(e *provider.Endpoint) pricing.ProviderName {
	vendor := e.API.Vendor()
	switch {
	case vendor == provider.OpenAI && e.Model != "":
		return "azure_openai"
	case vendor == provider.Anthropic && e.Model != "":
		return provider.Google
	case vendor == "" && strings.HasPrefix(string(e.API), "ollama"):
		return "ollama"
	}
	return vendor
}

// regionOf is the place of processing that a URL names: OpenAI's hosts for data residency, and Vertex AI's locations.
func regionOf(vendor pricing.ProviderName, host, path string) string {
	switch vendor {
	case provider.OpenAI:
		if place, ok := strings.CutSuffix(host, ".api.openai.com"); ok {
			return place
		}
	case provider.Google:
		if _, rest, ok := strings.Cut(path, "/locations/"); ok {
			place, _, _ := strings.Cut(rest, "/")
			return place
		}
	}
	return ""
}

// names are the models to look for in the price list, the best first: the one that answered, the one that was asked
// for, and the one in the path. At Bedrock the path says which profile of a model the price is for.
func (o *origin) names(answered, asked pricing.ModelName) []pricing.ModelName {
	if o.vendor == provider.Bedrock {
		return []pricing.ModelName{o.Model, asked, answered}
	}
	return []pricing.ModelName{answered, asked, o.Model}
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
