package packed

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, known []Host, stack ...[]pricing.Listing) *Catalogue {
	t.Helper()
	c, err := Open(string(Encode(known, stack...)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestListingsAreUnpackedAsTheyWerePacked(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var listings []pricing.Listing
	for range 500 {
		listings = append(listings, randomListing(r))
	}
	c := open(t, nil, listings)
	var got []pricing.Listing
	for l := range c.All() {
		got = append(got, *l)
	}
	if diff := cmp.Diff(listings, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	table := pricing.NewTable(listings)
	over := pricing.NewTableOver(nil, c)
	at := time.Unix(1e9, 0)
	for i := range listings {
		l := &listings[i]
		for _, name := range append([]pricing.ModelName{l.Model, l.Model + "x"}, l.Aliases...) {
			if diff := cmp.Diff(table.Lookup(l.Provider, name, at), over.Lookup(l.Provider, name, at)); diff != "" {
				t.Fatalf("%s %s (-table +packed):\n%s", l.Provider, name, diff)
			}
		}
	}
}

func randomListing(r *rand.Rand) pricing.Listing {
	word := func() string {
		return strings.Repeat(string(rune('a'+r.IntN(3))), r.IntN(3)) + strconv.Itoa(r.IntN(30))
	}
	number := func() int64 { return r.Int64() >> r.IntN(64) }
	price := func() pricing.Price {
		var p pricing.Price
		for _, rate := range append(fieldsOf(&p.Rates), feesOf(&p.Fees)...) {
			if r.IntN(2) == 0 {
				*rate = pricing.Rate(number())
			}
		}
		for range r.IntN(3) {
			b := pricing.Bracket{Above: number()}
			b.CacheRead = pricing.Rate(number())
			p.Brackets = append(p.Brackets, b)
		}
		return p
	}
	l := pricing.Listing{
		Provider: pricing.ProviderName(word()), Model: pricing.ModelName(word()), Source: word(), AsOf: word(), Note: word(),
		Limits: pricing.Limits{Context: number(), MaxOutput: number(), CacheMinimum: number()}, Unpriced: r.IntN(5) == 0,
	}
	for range r.IntN(3) {
		l.Aliases = append(l.Aliases, pricing.ModelName(word()))
	}
	if l.Unpriced {
		return l
	}
	l.Price = price()
	if r.IntN(2) == 0 {
		l.From, l.Until = time.Unix(r.Int64N(2e9), 0).UTC(), time.Unix(-r.Int64N(2e9), 0).UTC()
		l.Windows = []pricing.Window{{Start: time.Duration(number()), End: time.Hour, Weekdays: uint8(r.IntN(128)), Except: []pricing.Day{-7, 3, math.MaxInt32}}}
	}
	if r.IntN(2) == 0 {
		l.Variants = []pricing.Variant{{Service: pricing.Flex, Price: price()}, {Service: "other", Price: price()}}
		l.Uplifts = []pricing.Uplift{{Region: word(), PPM: number()}}
	}
	if r.IntN(3) == 0 {
		l.Rival = &pricing.Rival{Price: price(), Other: price(), Source: word(), AsOf: word()}
	}
	return l
}

func TestTheFirstLayerStandsBeforeTheOthers(t *testing.T) {
	june := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	c := open(t, nil,
		[]pricing.Listing{{Provider: "acme", Model: "m", From: june, Note: "first"}, {Provider: "acme", Model: "m2", Aliases: []pricing.ModelName{"n"}, Note: "first"}},
		[]pricing.Listing{{Provider: "acme", Model: "m", From: june.AddDate(0, 1, 0), Note: "second"}, {Provider: "acme", Model: "n", Note: "second"}},
	)
	table := pricing.NewTableOver(nil, c)
	for _, tt := range []struct {
		model pricing.ModelName
		at    time.Time
		want  string
	}{{"m", june.AddDate(0, 2, 0), "first"}, {"n", june, "first"}} {
		if l := table.Lookup("acme", tt.model, tt.at); l == nil || l.Note != tt.want {
			t.Errorf("%s: found %+v, want that of the %s layer", tt.model, l, tt.want)
		}
	}
	if l := table.Lookup("acme", "m", june.Add(-1)); l != nil {
		t.Errorf("before both: found %+v", l)
	}
	for i, want := range []string{"first", "second"} {
		if layer := c.Layer(i); len(layer) != 2 || layer[0].Note != want || layer[1].Note != want {
			t.Errorf("layer %d: %+v, want both listings of the %s", i, layer, want)
		}
	}
}

func TestHosts(t *testing.T) {
	c := open(t, []Host{{"api.acme.example", "acme"}, {"*.ajax.example", "ajax"}}, []pricing.Listing{{Provider: "beta", Model: "m"}})
	var got []Host
	for name, p := range c.Hosts() {
		got = append(got, Host{name, p})
	}
	if diff := cmp.Diff([]Host{{"api.acme.example", "acme"}, {"*.ajax.example", "ajax"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range c.Hosts() {
		break // a loop that ends early asks for no more
	}
	for range c.All() {
		break
	}
}

func TestOpenRefuses(t *testing.T) {
	good := string(Encode(nil, []pricing.Listing{{Provider: "acme", Model: "m"}}))
	for _, bad := range []string{"", "farebox prices 1", magic, good[:len(magic)+4*sections+10], strings.ToUpper(good)} {
		if _, err := Open(bad); err == nil {
			t.Errorf("Open(%q): no error", bad)
		}
	}
}

func TestConcurrentLookups(t *testing.T) {
	c := open(t, nil, []pricing.Listing{{Provider: "acme", Model: "m", Price: pricing.Flat(7)}, {Provider: "acme", Model: "n"}})
	var wg sync.WaitGroup
	found := make([]*pricing.Listing, 8)
	for i := range found {
		wg.Go(func() {
			for range c.All() {
			}
			found[i] = c.Rows("acme", "m")[0]
		})
	}
	wg.Wait()
	for _, l := range found {
		if l != found[0] || l.Price.Input != 7 {
			t.Errorf("got %p %+v, want the listing that all have, %p", l, l, found[0])
		}
	}
}
