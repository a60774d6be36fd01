// Package feeds reads the price lists of other projects: LiteLLM's JSON, that of genai-prices, and tables in CSV.
//
// What a list leaves out is not free. A model whose price is unknown, or in a unit that no usage counts, is listed
// without one and with a note that says why.
package feeds

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog/internal/decimal"
)

// Limits on what is read, far above what the lists hold.
const (
	maxSize   = 16 << 20 // bytes
	maxModels = 50_000
	maxName   = 300 // bytes
)

// Source says where a list comes from.
type Source struct {
	Name string // "litellm"
	AsOf string // the day of the list, YYYY-MM-DD
}

// String is the source as listings name it: "litellm@2026-08-01".
func (s Source) String() string { return s.Name + "@" + s.AsOf }

// readAll reads a list of bounded size.
func readAll(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("more than %d bytes", maxSize)
	}
	return text, nil
}

// checkName wants a name that can stand in a table, a log line and a path.
func checkName(name string) error {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '�' }) {
		return fmt.Errorf("name %q: want 1 to %d bytes of text", name, maxName)
	}
	return nil
}

// dearestToken is more than any vendor asks for a token, in dollars per million: a list that states more has the unit
// wrong.
const dearestToken = 2000

// perToken reads dollars per token, perMillion dollars per million tokens, perPiece dollars a piece and perThousand
// dollars per thousand pieces. What a list's arithmetic in floats has left beyond the nano-dollar is rounded away.
func perToken(text string) (pricing.Rate, error)    { return tokenRate(text, 15) }
func perMillion(text string) (pricing.Rate, error)  { return tokenRate(text, 9) }
func perPiece(text string) (pricing.Rate, error)    { return rate(text, 15) }
func perThousand(text string) (pricing.Rate, error) { return rate(text, 12) }

var errImplausible = errors.New("more than any vendor asks: the unit is wrong")

func tokenRate(text string, shift int) (pricing.Rate, error) {
	r, err := rate(text, shift)
	if err == nil && r > dearestToken*pricing.Rate(pricing.Dollar) {
		err = fmt.Errorf("rate %s: %w", text, errImplausible)
	}
	return r, err
}

func rate(text string, shift int) (pricing.Rate, error) {
	n, _, err := decimal.Parse(text, shift)
	if strings.HasPrefix(text, "-") {
		err = errors.New("negative")
	}
	if err != nil {
		return 0, fmt.Errorf("rate %q: %w", text, err)
	}
	return pricing.Rate(n), nil
}

// kinds of tokens, as bits of what a sheet states.
const (
	input = 1 << iota
	cacheRead
	writeShort
	writeLong
	output
	inputAudio
	inputImage
	readAudio
	outputAudio
	outputImage
)

// sheet is a set of rates, of which those in stated are known.
type sheet struct {
	pricing.Rates
	stated uint
}

// field is the rate of a kind.
func (s *sheet) field(kind uint) *pricing.Rate {
	switch kind {
	case input:
		return &s.Input
	case cacheRead:
		return &s.CacheRead
	case writeShort:
		return &s.CacheWriteShort
	case writeLong:
		return &s.CacheWriteLong
	case output:
		return &s.Output
	case inputAudio:
		return &s.InputAudio
	case inputImage:
		return &s.InputImage
	case readAudio:
		return &s.CacheReadAudio
	case outputAudio:
		return &s.OutputAudio
	}
	return &s.OutputImage
}

func (s *sheet) set(kind uint, r pricing.Rate) {
	*s.field(kind) = r
	s.stated |= kind
}

func (s *sheet) has(kind uint) bool { return s.stated&kind != 0 }

// allKinds are the kinds in the order in which complete fills them: each from ones before it. Input and output stay 0.
var allKinds = [...]uint{input, output, cacheRead, writeShort, writeLong, inputAudio, inputImage, readAudio, outputAudio, outputImage}

// fill takes what the sheet does not state from another.
func (s *sheet) fill(other *sheet) {
	for _, k := range allKinds {
		if !s.has(k) && other.has(k) {
			s.set(k, *other.field(k))
		}
	}
}

// complete are the rates with those that are not stated: no discount and no surcharge on the input, and sound and
// pictures at the price of text. Sound from the cache has that of sound, where that has one.
func (s sheet) complete() pricing.Rates {
	for _, k := range allKinds {
		if s.has(k) || k == input || k == output {
			continue
		}
		like := uint(input)
		switch {
		case k == writeLong:
			like = writeShort
		case k == outputAudio || k == outputImage:
			like = output
		case k == readAudio && !s.has(inputAudio):
			like = cacheRead
		case k == readAudio:
			like = inputAudio
		}
		*s.field(k) = *s.field(like)
	}
	return s.Rates
}

// step is a sheet for prompts of more than above tokens.
type step struct {
	above int64
	sheet
}

// quote is a price as one list states it.
type quote struct {
	sheet
	steps []step // by rising above
	fees  pricing.Fees
}

// step returns the sheet for prompts above a threshold, a new one where there is none.
func (q *quote) step(above int64) *sheet {
	i, found := slices.BinarySearchFunc(q.steps, above, func(s step, above int64) int { return int(s.above - above) })
	if !found {
		q.steps = slices.Insert(q.steps, i, step{above: above})
	}
	return &q.steps[i].sheet
}

// price completes the quote. What a step does not state grows as its input does; a step that states no input has
// that of the step below.
func (q *quote) price() pricing.Price {
	p := pricing.Price{Rates: q.complete(), Fees: q.fees}
	below := q.sheet
	for _, s := range q.steps {
		if !s.has(input) {
			s.set(input, below.Input)
		}
		for _, k := range allKinds {
			if s.has(k) || !below.has(k) {
				continue
			}
			r := *below.field(k)
			if k&(cacheRead|writeShort|writeLong|inputAudio|inputImage|readAudio) != 0 {
				r = ratio(r, below.Input, s.Input)
			}
			s.set(k, r)
		}
		p.Brackets = append(p.Brackets, pricing.Bracket{Above: s.above, Rates: s.complete()})
		below = s.sheet
	}
	return p
}

// ratio is a rate times to divided by from, rounded up to a nano-dollar per million; the rate where that does not fit.
func ratio(r, from, to pricing.Rate) pricing.Rate {
	if from <= 0 {
		return r
	}
	n := new(big.Int).Mul(big.NewInt(int64(r)), big.NewInt(int64(to)))
	n.Add(n, big.NewInt(int64(from)-1)).Quo(n, big.NewInt(int64(from)))
	if !n.IsInt64() {
		return r
	}
	return pricing.Rate(n.Int64())
}
