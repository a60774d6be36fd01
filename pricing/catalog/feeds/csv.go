package feeds

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// csvColumns are the columns that a table may have, in any order. Rates are dollars per million tokens.
var csvColumns = []string{
	"provider", "model", "input", "cached_read", "cache_write_short", "cache_write_long", "output", "batch_input", "batch_output",
	"long_threshold", "long_input", "long_cached_read", "long_output", "context_window", "max_output", "effective", "status", "notes",
	"source", "as_of",
}

// CSV reads a table with a row of column names, those of csvColumns: provider, model, input and output must be there.
// What a row leaves empty is not offered or not known; an answer without a price is one of a model that gives none,
// such as an embedding. Rows without a source have the one given.
func CSV(r io.Reader, source Source) ([]pricing.Listing, error) {
	text, err := readAll(r)
	if err != nil {
		return nil, err
	}
	rows := csv.NewReader(bytes.NewReader(text))
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("column names: %w", err)
	}
	if err := checkColumns(header); err != nil {
		return nil, err
	}
	var offers []offer
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return listings(offers), nil
		}
		if err != nil {
			return nil, err
		}
		if len(offers) == maxModels {
			return nil, fmt.Errorf("more than %d models", maxModels)
		}
		cells := make(csvRow, len(header))
		for i, name := range header {
			cells[name] = strings.TrimSpace(row[i])
		}
		o, err := cells.offer(source)
		if err != nil {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("line %d: model %q: %w", line, cells["model"], err)
		}
		offers = append(offers, o)
	}
}

func checkColumns(header []string) error {
	for i, name := range header {
		if !slices.Contains(csvColumns, name) {
			return fmt.Errorf("unknown column %q", name)
		}
		if slices.Contains(header[:i], name) {
			return fmt.Errorf("column %q comes twice", name)
		}
	}
	for _, name := range []string{"provider", "model", "input", "output"} {
		if !slices.Contains(header, name) {
			return fmt.Errorf("no column %q", name)
		}
	}
	return nil
}

// csvRow is a row by column.
type csvRow map[string]string

func (row csvRow) offer(source Source) (offer, error) {
	o := offer{Listing: pricing.Listing{
		Provider: pricing.ProviderName(row["provider"]), Model: pricing.ModelName(row["model"]), Note: row["notes"], Source: source.String(), AsOf: source.AsOf,
	}}
	for _, name := range []string{row["provider"], row["model"]} {
		if err := checkName(name); err != nil {
			return o, err
		}
	}
	if row["source"] != "" {
		o.Source = row["source"]
	}
	if day := row["as_of"]; day != "" {
		if !isDay(day) {
			return o, fmt.Errorf("as_of: %q is not YYYY-MM or YYYY-MM-DD", day)
		}
		o.AsOf = day
	}
	if err := row.tokens(&o); err != nil {
		return o, err
	}
	row.effective(&o)
	o.quote.longWrites(o.Model)
	return o, row.batch(&o)
}

// effective reads the day or moment that a price holds from, where the cell begins with one; other text becomes a note.
func (row csvRow) effective(o *offer) {
	text := row["effective"]
	if text == "" {
		return
	}
	first, _, _ := strings.Cut(strings.TrimRight(text, ";"), ";")
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04Z", time.RFC3339} {
		if t, err := time.Parse(layout, first); err == nil {
			o.From = t.UTC()
			break
		}
	}
	if o.From.IsZero() || first != text {
		o.note("effective: " + text)
	}
}

// tokens reads the rates and limits.
func (row csvRow) tokens(o *offer) error {
	q := &o.quote
	for name, kind := range map[string]uint{
		"input": input, "cached_read": cacheRead, "cache_write_short": writeShort, "cache_write_long": writeLong, "output": output,
	} {
		if err := row.rate(name, &q.sheet, kind); err != nil {
			return err
		}
	}
	if !q.has(input) {
		return errors.New("no input rate")
	}
	if q.Input == 0 && !freeByName(o.Model) {
		return errors.New("the input rate is 0: a free model ends in :free")
	}
	threshold, err := row.count("long_threshold")
	if err != nil {
		return err
	}
	for name, kind := range map[string]uint{"long_input": input, "long_cached_read": cacheRead, "long_output": output} {
		if row[name] == "" {
			continue
		}
		if threshold == 0 {
			return fmt.Errorf("%s without long_threshold", name)
		}
		if err := row.rate(name, q.step(threshold), kind); err != nil {
			return err
		}
	}
	if o.Limits.Context, err = row.count("context_window"); err != nil {
		return err
	}
	if o.Limits.MaxOutput, err = row.count("max_output"); err != nil {
		return err
	}
	if o.Limits.MaxOutput == 0 {
		o.Limits.MaxOutput = o.Limits.Context
	}
	return nil
}

// rate reads a cell. A write to the cache that costs 0 would be free input: it is taken as not offered.
func (row csvRow) rate(name string, s *sheet, kind uint) error {
	if row[name] == "" {
		return nil
	}
	r, err := perMillion(row[name])
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if r > 0 || kind == input || kind == output {
		s.set(kind, r)
	}
	return nil
}

func (row csvRow) count(name string) (int64, error) {
	if row[name] == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(row[name], 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: want a number of tokens, got %q", name, row[name])
	}
	return n, nil
}

// batch reads the price of batches.
func (row csvRow) batch(o *offer) error {
	var q quote
	for name, kind := range map[string]uint{"batch_input": input, "batch_output": output} {
		if err := row.rate(name, &q.sheet, kind); err != nil {
			return err
		}
	}
	if q.stated == 0 {
		return nil
	}
	price, ok := q.variant(&o.quote, pricing.Batch)
	if !ok {
		return errors.New("batch rates are incomplete or above the others")
	}
	o.Variants = []pricing.Variant{{Service: pricing.Batch, Price: price}}
	return nil
}

// isDay reports whether s is YYYY-MM or YYYY-MM-DD.
func isDay(s string) bool {
	_, errDay := time.Parse(time.DateOnly, s)
	_, errMonth := time.Parse("2006-01", s)
	return errDay == nil || errMonth == nil
}
