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

// Column is a column of a table with what stands in it.
type Column struct{ Name, Meaning string }

// Columns are the columns that a table may have, in any order. Further ones are left out, with a warning.
var Columns = []Column{
	{"provider", "vendor whose calls have the price; required"},
	{"model", "name of the model; required"},
	{"input", "USD per million tokens of the prompt; required"},
	{"cached_read", "USD per million tokens read from the provider's cache"},
	{"cache_write_short", "USD per million tokens written to it, with the short lifetime"},
	{"cache_write_long", "USD per million tokens written to it, with the long lifetime"},
	{"output", "USD per million tokens of the answer; required, empty for models that give none"},
	{"batch_input", "USD per million tokens of the prompt in batches"},
	{"batch_output", "USD per million tokens of the answer in batches"},
	{"long_threshold", "tokens of the prompt above which the long_ rates hold for the whole call"},
	{"long_input", "USD per million tokens"},
	{"long_cached_read", "USD per million tokens"},
	{"long_output", "USD per million tokens"},
	{"context_window", "tokens of prompt and answer together"},
	{"max_output", "tokens of the longest answer"},
	{"effective", "first day or moment of the price: 2026-11-22 or 2026-11-22T16:00Z, UTC"},
	{"status", "not read"},
	{"notes", "text for people"},
	{"source", "where the price was read; --source if empty"},
	{"as_of", "day of reading, YYYY-MM or YYYY-MM-DD; --as-of if empty"},
}

func isColumn(name string) bool {
	return slices.ContainsFunc(Columns, func(c Column) bool { return c.Name == name })
}

// CSV reads a table with a row of column names, those of Columns: provider, model, input and output must be there.
// What a row leaves empty is not offered or not known; an answer without a price is one of a model that gives none,
// such as an embedding. Rows without a source have the one given. A row with a mistake is left out, with a warning.
func CSV(r io.Reader, source Source) (List, error) {
	text, err := readAll(r)
	if err != nil {
		return List{}, err
	}
	rows := csv.NewReader(bytes.NewReader(text))
	header, err := rows.Read()
	if err != nil {
		return List{}, fmt.Errorf("column names: %w", err)
	}
	header = slices.Clone(header)
	if err := checkColumns(header); err != nil {
		return List{}, err
	}
	out := csvList{warned: make(map[string]int)}
	var offers []offer
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			out.Listings = listings(offers)
			return out.List, nil
		}
		line, _ := rows.FieldPos(0)
		if errors.Is(err, csv.ErrFieldCount) {
			out.leftOut(line, fmt.Sprintf("%d values for %d columns", len(row), len(header)))
			continue
		}
		if err != nil {
			return List{}, err
		}
		if len(offers) == maxModels {
			return List{}, fmt.Errorf("more than %d models", maxModels)
		}
		cells := make(csvRow, len(header))
		for i, name := range header {
			cells[name] = strings.TrimSpace(row[i])
		}
		o, err := cells.offer(source)
		if err != nil {
			out.leftOut(line, fmt.Sprintf("model %q: %v", cells["model"], err))
			continue
		}
		offers = append(offers, o)
		out.remarks(line, header, cells)
	}
}

// separator is what stands between the names of a header that has no comma, 0 for nothing that is known to.
func separator(header []string) rune {
	for _, c := range ";\t|" {
		if len(header) == 1 && strings.ContainsRune(header[0], c) {
			return c
		}
	}
	return 0
}

// csvList is a list that is being read.
type csvList struct {
	List
	warned map[string]int // places among the warnings, by their texts
}

// warn notes a text for a line, once for all lines that have the same.
func (l *csvList) warn(line int, text string) {
	i, ok := l.warned[text]
	if !ok {
		i = len(l.Warnings)
		l.warned[text] = i
		l.Warnings = append(l.Warnings, Warning{Text: text})
	}
	l.Warnings[i].Lines = append(l.Warnings[i].Lines, line)
}

// leftOut notes a row that cannot be taken: with a part of its price it would be charged wrongly.
func (l *csvList) leftOut(line int, why string) {
	l.Rows++
	l.warn(line, "row left out: "+why)
}

// remarks notes what of a row was not taken as it stands there.
func (l *csvList) remarks(line int, header []string, row csvRow) {
	for _, name := range header {
		switch {
		case row[name] == "":
		case !isColumn(name):
			l.Values++
			l.warn(line, fmt.Sprintf("value left out: nothing reads a column %q", name))
		case slices.Contains([]string{"cached_read", "cache_write_short", "cache_write_long", "long_cached_read"}, name) && row.isZero(name):
			l.warn(line, name+" of 0 is taken as not offered: such tokens cost what the input does")
		}
	}
	if row["long_input"] != "" && row["cache_write_short"]+row["cache_write_long"] != "" {
		l.warn(line, "no column has the long-context rates of cache writes: they grow as the input does")
	}
}

// isZero reports whether a cell that could be read is a number of 0.
func (row csvRow) isZero(name string) bool {
	r, err := perMillion(row[name])
	return err == nil && r == 0
}

func checkColumns(header []string) error {
	for i, name := range header {
		if slices.Contains(header[:i], name) {
			return fmt.Errorf("line 1: column %q comes twice", name)
		}
	}
	for _, name := range []string{"provider", "model", "input", "output"} {
		if other := separator(header); other != 0 {
			return fmt.Errorf("line 1: the separator seems to be %q: a list has %q between its columns", other, ',')
		}
		if !slices.Contains(header, name) {
			return fmt.Errorf("line 1: no column %q", name)
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
