// Package pricefile reads and writes price lists in the catalogue's own JSON.
//
//	{
//	  "provider": "deepseek",             // of the listings that name no other
//	  "hosts": ["api.deepseek.com"],      // "*" stands for characters without a dot: "*.openai.azure.com"
//	  "calendars": {"china": {"days": ["2026-10-01"], "source": "...", "as_of": "2025-11-04"}},
//	  "listings": [{
//	    "provider": "deepseek",
//	    "model": "deepseek-flash",
//	    "aliases": ["deepseek-v4-flash"], // other names that are billed as this model
//	    "input": "0.3",                   // dollars per million tokens, as decimal text
//	    "cache_read": "0.006",
//	    "cache_write_short": "0.3", "cache_write_long": "0.3",
//	    "output": "1.2",
//	    "input_audio": "1", "input_image": "1", "cache_read_audio": "1", "output_audio": "1", "output_image": "1",
//	    "brackets": [{"above": 200000, ...}], // the same rates for requests of more input than that, rising
//	    "fees": {"web_search": "0.01"},   // dollars a piece: request, web_search, file_search, code_run, search_unit,
//	                                      // image, second, character
//	    "variants": {                     // other classes of service: batch, flex, priority, fast, ultrafast
//	      "batch": {"factor": "0.5"},     // on every rate of a token, or:
//	      "priority": {"input": "0.6", "output": "2.4", "brackets": [...]}
//	    },
//	    "uplifts": {"us": "1.1"},         // factor on every rate of a token in that region; "*" is any but "global"
//	    "context": 1000000, "max_output": 384000, "cache_minimum": 64, // tokens
//	    "from": "2026-08-16T16:00:00Z", "until": "...", // RFC 3339; until is the first moment after
//	    "windows": [{"days": ["mon"], "start": "01:00", "end": "04:00", // UTC, end exclusive, at most "24:00"
//	      "calendar": "china", "except": ["2026-12-24"]}], // but not on those days
//	    "unpriced": true,                 // known to exist; the price is not, as the note says: then no rates
//	    "rival": {"price": {...}, "other": {...}, "source": "...", "as_of": "..."}, // the sides of a disputed price
//	    "source": "...", "as_of": "2026-10", "note": "..."
//	  }]
//	}
//
// Model, input, output, source and as_of are required, and above, input and output of a bracket. What an absent rate
// means is stated at rates.parse; "0" is a stated zero. Fees of a variant are those of the listing. A limit that is
// absent is unknown, and the longest answer then the context window. Unknown keys are errors.
package pricefile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// MaxSize is the length in bytes of the longest file that Parse takes.
const MaxSize = 16 << 20

// File is one price list.
type File struct {
	Provider pricing.ProviderName // "" where each listing names its own
	Hosts    []string
	Listings []pricing.Listing
}

// document is a file as it is spelled.
type document struct {
	Provider  pricing.ProviderName `json:"provider,omitempty"`
	Hosts     []string             `json:"hosts,omitempty"`
	Calendars map[string]calendar  `json:"calendars,omitempty"`
	Listings  []entry              `json:"listings"`
}

// maxMistakes is how many mistakes of a file are told.
const maxMistakes = 20

// errMore stands for the mistakes beyond those.
var errMore = errors.New("and more, from here on")

// Parse reads one file strictly. What is wrong with the file is told as Mistakes.
func Parse(r io.Reader) (File, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return File{}, err
	}
	if len(text) > MaxSize {
		return File{}, fmt.Errorf("more than %d bytes", MaxSize)
	}
	form := check(text)
	var d document
	err = json.Unmarshal(text, &d)
	_, odd := errors.AsType[*json.UnmarshalTypeError](err) // the other values are decoded all the same
	switch {
	case len(form) > 0 && (len(form) > maxMistakes || err != nil && !odd):
		return File{}, form
	case len(form) == 0 && err != nil:
		return File{}, fmt.Errorf("internal error: %w", err)
	}
	f, errs := d.file()
	if len(errs) > 0 || len(form) > 0 {
		return File{}, form.beside(mistakesOf(text, errs))
	}
	return f, nil
}

// file checks what the document says.
func (d *document) file() (File, []error) {
	holidays, err := readCalendars(d.Calendars)
	errs := split(at("calendars", err))
	f := File{Provider: d.Provider, Hosts: d.Hosts, Listings: make([]pricing.Listing, len(d.Listings))}
	for i := range d.Listings {
		e := &d.Listings[i]
		e.Provider = cmp.Or(e.Provider, d.Provider)
		f.Listings[i], err = e.listing(holidays)
		errs = append(errs, split(at("listings", at(i, about(fmt.Sprintf("listing %d, model %q", i+1, e.Model), err))))...)
		if len(errs) > maxMistakes {
			break
		}
	}
	return f, errs
}

// Overlay is Parse of a file that has listings alone.
func Overlay(r io.Reader) ([]pricing.Listing, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	f, err := Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(f.Hosts) > 0 {
		return nil, mistakesOf(text, []error{at("hosts", errHosts)})
	}
	return f.Listings, nil
}

var errHosts = errors.New("hosts belong to the providers of a policy: an overlay has prices alone")

// ReadDir reads all *.json at the root of fsys, in the order of their names. Each must be named for its provider.
func ReadDir(fsys fs.FS) ([]File, error) {
	names, err := fs.Glob(fsys, "*.json")
	if err != nil {
		return nil, err
	}
	var files []File
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		f, err := Parse(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if want := strings.TrimSuffix(name, ".json"); string(f.Provider) != want {
			return nil, fmt.Errorf("read %s: provider %q in the file of %q", name, f.Provider, want)
		}
		files = append(files, f)
	}
	return files, nil
}

// Write prints listings so that Parse reads the same ones: one to a line, in their order, with every rate that is
// not what its absence means. The same listings always give the same bytes.
func Write(w io.Writer, listings []pricing.Listing) error {
	var out bytes.Buffer
	out.WriteString(`{"listings": [`)
	for i := range listings {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n  ")
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(entryOf(&listings[i])); err != nil {
			return fmt.Errorf("write the listing of %s %s: %w", listings[i].Provider, listings[i].Model, err)
		}
		out.Truncate(out.Len() - 1) // the encoder's line end
	}
	out.WriteString("\n]}\n")
	_, err := w.Write(out.Bytes())
	return err
}
