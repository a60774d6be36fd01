package policies

import (
	"math"
	"testing"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// Prices of uploads: a price by the second has no rates of tokens, nor limits.
var (
	bySecond = pricing.Price{Fees: pricing.Fees{Second: 100_000_000_000}} // $0.0001
	byToken  = pricing.Price{Rates: pricing.Rates{Input: 2_500_000_000, InputAudio: 6_000_000_000, Output: 10_000_000_000}}
	byCall   = pricing.Price{Fees: pricing.Fees{Request: 100_000_000_000}}
)

func TestTheMostThatAnUploadCosts(t *testing.T) {
	limits := pricing.Limits{Context: 16_000, MaxOutput: 2000}
	for _, tt := range []struct {
		name   string
		call   provider.Request
		price  pricing.Price
		limits pricing.Limits
		want   pricing.Money // -1: unbounded
	}{
		{"a known length", provider.Request{Pieces: pricing.Usage{Seconds: 60}}, bySecond, pricing.Limits{}, 6_000_000},
		{"an unknown length", provider.Request{OpenSeconds: true}, bySecond, pricing.Limits{}, -1},
		{"an unknown length by the token", provider.Request{OpenSeconds: true, InputMedia: true, Facts: provider.RemoteContent}, byToken, limits, 96_000_000 + 20_000_000},
		{"chunks by the token", provider.Request{OpenSeconds: true, OpenPieces: true}, byToken, limits, -1},
		{"tokens without limits", provider.Request{OpenSeconds: true, Facts: provider.RemoteContent}, byToken, pricing.Limits{}, -1},
		{"the call alone", provider.Request{OpenSeconds: true, Facts: provider.RemoteContent}, byCall, pricing.Limits{}, 100_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			listing := pricing.Listing{Price: tt.price, Limits: tt.limits}
			o := Option{Listing: &listing}
			call := tt.call
			call.API, call.Choices = provider.OpenAITranscription, 1
			new(Set).bound(&call, &o, NoState{})
			parts, ok := new(Set).Reckon(&call, &o)
			tokens, err := pricing.Price{Rates: parts.Rates}.Cost(pricing.Usage{Input: parts.Input, Output: parts.Output})
			if ok == o.Unbounded || ok && (err != nil || tokens+parts.Fees != o.Bound) || ok && tt.price.Fees == (pricing.Fees{}) && parts.Fees != 0 {
				t.Errorf("taken apart: %+v, %t, %v", parts, ok, err)
			}
			if got := o.Bound; o.Unbounded != (tt.want < 0) || !o.Unbounded && got != tt.want {
				t.Errorf("bound %s, unbounded %t; want %s", got, o.Unbounded, tt.want)
			}
		})
	}
}

func TestAnAnswerIsNoLongerThanTheContextWhateverItsCap(t *testing.T) {
	for _, tt := range []struct {
		name   string
		call   provider.Request
		limits pricing.Limits
		want   int64
	}{
		{"a cap that fits", provider.Request{MaxOutput: 3000}, pricing.Limits{Context: 16_000, MaxOutput: 2000}, 3000},
		{"a cap beyond the context", provider.Request{MaxOutput: 500_000}, pricing.Limits{Context: 16_000, MaxOutput: 2000}, 16_000},
		{"a context of the prompt alone", provider.Request{MaxOutput: 500_000}, pricing.Limits{Context: 2000, MaxOutput: 16_000}, 16_000},
		{"a context that nobody knows", provider.Request{MaxOutput: 500_000}, pricing.Limits{MaxOutput: 2000}, 500_000},
		{"tools of the provider", provider.Request{MaxOutput: 500_000, Facts: provider.ServerTools}, pricing.Limits{Context: 16_000}, 160_000},
		{"a context that is made room in", provider.Request{MaxOutput: 500_000, Facts: provider.Compaction}, pricing.Limits{Context: 16_000}, 160_000},
		{"other models", provider.Request{MaxOutput: 500_000, Facts: provider.OtherModels}, pricing.Limits{Context: 16_000}, 500_000},
		{"a context beyond counting", provider.Request{MaxOutput: 500_000, OpenPieces: true}, pricing.Limits{Context: math.MaxInt64}, 500_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := Option{Listing: &pricing.Listing{Limits: tt.limits}}
			if got := new(Set).outputCap(&tt.call, &o); got != tt.want {
				t.Errorf("at most %d tokens, want %d", got, tt.want)
			}
		})
	}
}
