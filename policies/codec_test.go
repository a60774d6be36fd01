package policies

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
)

// codecPolicy has a value in every field, which TestCodecPolicyIsFull checks.
func codecPolicy() *Policy {
	yes, no := true, false
	span := Range{Min: 1, Max: 9}
	return &Policy{
		Mode:    Enforce,
		Passive: true,
		Providers: []Provider{
			{Name: "gw", Vendor: "openai", Hosts: []string{"a.example", "b.example"}, Prefix: "/x", Region: "eu", Priority: true, Credential: Credential{File: "/run/\"key\"\n"}},
			{Name: "anthropic", Vendor: "anthropic", Credential: Credential{Caller: true}},
		},
		Dimensions: []Dimension{{Name: "team", Sources: []Source{{FromHeader, "x-team"}, {FromJWT, "urn:team"}}, Trusted: true}},
		Tiers:      []Tier{{Name: "medium", Models: []ModelRef{{"gw", "meta/llama"}, {"gpu", "é\\"}}}},
		Rules: []Rule{{
			Name: "rule 1", Tier: "medium", MaxOutput: 10,
			When: Match{
				Dimensions: []Condition{{"team", []string{"a*", ""}}}, Headers: []Condition{{"x-a", []string{"b"}}},
				Models: []string{"gpt-*"}, Providers: []RouteName{"gw"}, Paths: []string{"/v1/*"}, APIs: []string{"openai_chat"},
				Tools: &yes, Images: &no, Stream: &no, Input: span, MaxOutput: span,
			},
		}},
		Exact:  &ExactCache{TTL: 90 * time.Minute, Per: "team", All: true, MaxTemperature: 0.35, ToolCalls: true, MaxMegabytes: 256},
		Prompt: true,
		Pools: []Pool{{Name: "gpu", Endpoints: []string{"http://10.0.0.5:8000"}, GPUHour: 2_100_000_001, GPUs: 2, Throughput: 2500,
			SpotHour: 900_000_000, SpotShare: 60, Models: []PoolModel{{Model: "meta/llama", Quantisation: "fp8", Throughput: 1800}},
			Context: 32000, Use: AboveVolume, Above: 1_000_000, Credential: Credential{File: "/k", Caller: false}}},
		Budgets: []Budget{{Name: "company", Limit: 1<<63 - 1, Per: []DimensionName{"team"},
			Only: []Condition{{"team", []string{"a*"}}}, Window: Rolling, Length: 24 * time.Hour, Zone: time.FixedZone("Europe/Berlin", 0),
			Soft: true, Steps: []Step{{Percent: 90, Do: StepCapTier, Tier: "medium"}}, FreeOnly: true, FitOutput: 256,
			StopOnBudget: true, AbortedEstimate: true, OpenOnOutage: true}},
		Unknown:   UnknownModel{Refuse: true, Charge: 30, Alert: true, Dearest: codecRates},
		Overlays:  []string{"prices/overlay.json"},
		Discounts: []Discount{{Vendor: "openai", Models: []string{"gpt-*"}, PPM: 850_000}},
		Keep:      400 * 24 * time.Hour,
		Refusal:   402,
	}
}

var codecRates = pricing.Rates{Input: 1, CacheRead: 2, CacheWriteShort: 3, CacheWriteLong: 4, Output: 5,
	InputAudio: 11, InputImage: 12, CacheReadAudio: 13, OutputAudio: 14, OutputImage: 15}

func codecListings() []pricing.Listing {
	rates := codecRates
	fees := pricing.Fees{Request: 21, WebSearch: 22, FileSearch: 23, CodeRun: 24, SearchUnit: 25, Image: 26, Second: 27, Character: 28}
	price := pricing.Price{Rates: rates, Fees: fees, Brackets: []pricing.Bracket{{Above: 200_000, Rates: rates}}}
	return []pricing.Listing{
		{Provider: "openai", Model: "m", Aliases: []pricing.ModelName{"n"}, Unpriced: true,
			Price: price, Variants: []pricing.Variant{{Service: pricing.Flex, Price: price}},
			Uplifts: []pricing.Uplift{{Region: "us", PPM: 1_100_000}},
			Limits:  pricing.Limits{Context: 8, MaxOutput: 9, CacheMinimum: 10},
			From:    time.Unix(0, 0).UTC(), Until: time.Date(2026, 8, 16, 16, 0, 0, 0, time.UTC),
			Windows: []pricing.Window{{Start: time.Hour, End: 24 * time.Hour, Weekdays: 0x7f, Except: []pricing.Day{20_000}}}},
		{Provider: "anthropic", Model: "free"},
	}
}

var byZoneName = cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })

func TestDecodeJSONReadsWhatAppendJSONWrote(t *testing.T) {
	for _, tt := range []struct {
		name     string
		policy   *Policy
		listings []pricing.Listing
	}{
		{"full", codecPolicy(), codecListings()},
		{"smallest", &Policy{Mode: Observe}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := AppendJSON(nil, tt.policy, tt.listings)
			if !json.Valid(text) {
				t.Fatalf("not JSON: %s", text)
			}
			policy, listings, err := DecodeJSON(text)
			if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			if diff := cmp.Diff(tt.policy, policy, byZoneName); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.listings, listings); diff != "" {
				t.Errorf("listings (-want +got):\n%s", diff)
			}
			if again := AppendJSON(nil, policy, listings); string(again) != string(text) {
				t.Errorf("written again:\n%s\nwant\n%s", again, text)
			}
		})
	}
}

// TestCodecPolicyIsFull fails for a field that was added to a policy or listing and not to codecPolicy, so that
// the round trip covers it.
func TestCodecPolicyIsFull(t *testing.T) {
	empty := emptyFields("Policy", reflect.ValueOf(*codecPolicy()))
	empty = append(empty, emptyFields("Listing", reflect.ValueOf(codecListings()[0]))...)
	empty = slices.DeleteFunc(empty, func(field string) bool {
		left := []string{".Source", ".AsOf", ".Note", ".Credential.Caller", ".Rival"}
		return slices.ContainsFunc(left, func(suffix string) bool { return strings.HasSuffix(field, suffix) })
	})
	if len(empty) > 0 {
		t.Errorf("the policy of the round trip leaves out %v", empty)
	}
}

// emptyFields returns the paths of zero fields. Of a list it looks at the first element.
func emptyFields(path string, v reflect.Value) []string {
	if v.IsZero() {
		return []string{path}
	}
	switch v.Type() {
	case reflect.TypeFor[time.Time](), reflect.TypeFor[*time.Location]():
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.Elem().Kind() == reflect.Struct {
			return emptyFields(path, v.Elem())
		}
	case reflect.Slice:
		return emptyFields(path, v.Index(0))
	case reflect.Struct:
		var empty []string
		for i := range v.NumField() {
			empty = append(empty, emptyFields(path+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
		return empty
	}
	return nil
}

func TestAppendJSONIsCompact(t *testing.T) {
	p := &Policy{Mode: Observe, Providers: []Provider{{Name: "openai", Credential: Credential{Caller: true}}}}
	listings := []pricing.Listing{
		{Provider: "openai", Model: "m", Price: pricing.Price{Rates: pricing.Rates{Input: 2_500_000_000}}, Source: "s", AsOf: "2026-08", Note: "n"},
	}
	want := `{"version":1,"mode":"observe","providers":[{"name":"openai","credential":"caller"}],"unknown":{},` +
		`"prices":[{"provider":"openai","model":"m","input":2500000000}]}`
	if got := string(AppendJSON(nil, p, listings)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestACompiledPolicyTakesAlongThePricesThatItNeeds(t *testing.T) {
	own := []pricing.Listing{{Provider: "openai", Model: "gpt-6-sol", Source: "own"}}
	known := []pricing.Listing{{Provider: "openai", Model: "gpt-6-sol"}, {Provider: "groq", Model: "llama"}}
	base := pricing.NewTable(append(slices.Clone(known),
		pricing.Listing{Provider: "openai", Model: "gpt-6-luna"}, pricing.Listing{Provider: "openai", Model: "gpt-1"},
		pricing.Listing{Provider: "openai", Model: "gpt-6-sol-2026-01-02"}, pricing.Listing{Provider: "groq", Model: "gpt-6-luna"}))
	s, err := Compile(testPolicy(), pricing.NewTableOver(own, base))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range s.Needed(known, own) {
		got = append(got, string(l.Provider)+"/"+string(l.Model)+" "+l.Source)
	}
	// A tier names gpt-6-luna. The snapshot has a price of its own; the model behind the policy's own price has not.
	want := []string{"openai/gpt-6-sol own", "openai/gpt-6-luna ", "openai/gpt-6-sol-2026-01-02 "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listings (-want +got):\n%s", diff)
	}
}

func TestDecodeJSONTakesMembersInAnyOrder(t *testing.T) {
	// Envoy may hand a Struct on with its members sorted and its numbers as floats.
	got, _, err := DecodeJSON([]byte(` { "unknown" : {"charge": 3e10} , "mode":"enforce", "version": 1.0 } `))
	if err != nil {
		t.Fatal(err)
	}
	want := &Policy{Mode: Enforce, Unknown: UnknownModel{Charge: 30_000_000_000}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", ``, "unexpected end of JSON at byte 0"},
		{"another kind of value", `[]`, "expected an object at byte 0"},
		{"a list for an object", `{"version":1,"mode":"observe","exact":[]}`, "expected an object at byte 38"},
		{"text for a number", `{"version":"1","mode":"observe"}`, "expected a whole number at byte 11"},
		{"a number for text", `{"version":1,"mode":1}`, "expected a string at byte 20"},
		{"a negative number", `{"version":1,"mode":"observe","unknown":{"charge":-1}}`, "expected a whole number"},
		{"a number for a flag", `{"version":1,"mode":"observe","prompt":1}`, "expected true or false"},
		{"an object for a list", `{"version":1,"mode":"observe","rules":{}}`, "expected an array"},
		{"text for a list", `{"version":1,"mode":"observe","tiers":[{"name":"a","models":"b"}]}`, "expected an array"},
		{"an inline credential", `{"version":1,"mode":"observe","providers":[{"credential":"sk"}]}`, "expected caller or file:"},
		{"too many weekdays", `{"version":1,"mode":"observe","prices":[{"windows":[{"weekdays":256}]}]}`, "expected seven bits"},
		{"more than a day", `{"version":1,"mode":"observe","prices":[{"windows":[{"start":86401}]}]}`, "expected seconds of a day"},
		{"an unknown key", `{"version":1,"mode":"observe","rules":[{"when":{"difficulty":1}}]}`, `unknown key "difficulty" at byte 48`},
		{"a later version", `{"version":2,"mode":"observe"}`, "version 2, want 1"},
		{"no mode", `{"version":1}`, `unknown mode ""`},
		{"a cut text", `{"version":1,"mode":"observe"`, "unexpected end of JSON"},
		{"trailing bytes", `{"version":1,"mode":"observe"}{}`, "unexpected data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _, err := DecodeJSON([]byte(tt.text))
			if p != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("DecodeJSON(%s) = %v, %v; want an error with %q", tt.text, p, err, tt.want)
			}
		})
	}
}

func FuzzDecodeJSON(f *testing.F) {
	f.Add(AppendJSON(nil, codecPolicy(), codecListings()))
	f.Add([]byte(`{"version":1,"mode":"observe","providers":[{"name":"a"}],"prices":[{"provider":"a"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, listings, err := DecodeJSON(text)
		if err != nil {
			return
		}
		once := AppendJSON(nil, p, listings)
		p, listings, err = DecodeJSON(once)
		if err != nil {
			t.Fatalf("%v in %s, written for %s", err, once, text)
		}
		if twice := AppendJSON(nil, p, listings); string(twice) != string(once) {
			t.Fatalf("from %s\nonce  %s\ntwice %s", text, once, twice)
		}
	})
}
