package policyfile

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

var update = flag.Bool("update", false, "write what is printed for testdata/*.yaml to testdata/*.want")

// files reads the policies in testdata that match a pattern.
func files(t testing.TB, pattern string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files match %s: %v", pattern, err)
	}
	read := make(map[string][]byte, len(paths))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		read[path] = data
	}
	return read
}

// readTestdata reads the price files of the policies in testdata.
func readTestdata(path string) ([]byte, error) { return os.ReadFile(filepath.Join("testdata", path)) }

func TestMistakesAreReportedAsInTheGoldenFiles(t *testing.T) {
	for path, data := range files(t, "*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			policy, _, problems := ParseWith(filepath.Base(path), data, readTestdata)
			bad := strings.HasSuffix(path, ".bad.yaml")
			if (policy == nil) != bad || (problems.Err() != nil) != bad {
				t.Errorf("Parse(%s) = policy %v, problems:\n%v", path, policy != nil, problems)
			}
			var got strings.Builder
			if err := problems.Format(&got); err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("problems of %s (-want +got):\n%s", path, diff)
			}
		})
	}
}

// zoned compares time zones by name.
var zoned = cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })

func TestTheWholeLanguageIsRead(t *testing.T) {
	data, err := os.ReadFile("testdata/sketch.good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, problems := Parse("sketch.good.yaml", data)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	want := &policies.Policy{
		Mode:    policies.Enforce,
		Passive: true,
		Providers: []policies.Provider{
			{Name: "openai", Vendor: "openai", Hosts: []string{"api.openai.com"}, Credential: policies.Credential{Caller: true}},
			{Name: "anthropic", Vendor: "anthropic", Hosts: []string{"api.anthropic.com"},
				Credential: policies.Credential{File: "/run/secrets/anthropic"}},
			{Name: "eu", Vendor: "openai", Hosts: []string{"eu.api.example.com"}, Prefix: "/eu", Region: "eu", Priority: true,
				Credential: policies.Credential{File: "/run/secrets/eu"}},
			{Name: "google", Vendor: "google", Hosts: []string{"generativelanguage.googleapis.com", "aiplatform.googleapis.com"},
				Credential: policies.Credential{Caller: true}},
		},
		Dimensions: []policies.Dimension{
			{Name: "team", Sources: []policies.Source{{Kind: policies.FromJWT, Key: "team"}, {Kind: policies.FromMTLS, Key: "namespace"}}},
			{Name: "feature", Sources: []policies.Source{{Kind: policies.FromHeader, Key: "x-farebox-feature"}}},
			{Name: "session", Sources: []policies.Source{{Kind: policies.FromHeader, Key: "x-session-id"}}, Trusted: true},
		},
		Tiers: []policies.Tier{
			{Name: "heavy", Models: []policies.ModelRef{{Route: "anthropic", Model: "claude-opus-5-5"}, {Route: "eu", Model: "gpt-6-astra"}}},
			{Name: "medium", Models: []policies.ModelRef{{Route: "anthropic", Model: "claude-haiku-5-5"}, {Route: "google", Model: "gemini-2.5-flash"}}},
			{Name: "routing", Models: []policies.ModelRef{{Route: "gpu", Model: "meta/llama-3.3-70b"}}},
		},
		Rules: []policies.Rule{
			{Name: "two-word answers", Tier: "routing", MaxOutput: 10,
				When: policies.Match{Dimensions: []policies.Condition{{Key: "feature", Values: []string{"intent"}}}}},
			{Name: "escalations", Tier: "heavy",
				When: policies.Match{Headers: []policies.Condition{{Key: "x-escalation", Values: []string{"true", "yes*"}}}}},
			{Name: "rule 3", Tier: "medium", When: policies.Match{
				Models: []string{"gpt-*", "claude-opus-*"}, Providers: []policies.RouteName{"openai", "anthropic"},
				Paths: []string{"/v1/*"}, APIs: []string{"openai_chat", "anthropic_messages"},
				Tools: &no, Images: &no, Stream: &yes, Input: policies.Range{Min: 2000, Max: 8001}, MaxOutput: policies.Range{Max: 500},
			}},
			{Name: "rule 4", MaxOutput: 1500, When: policies.Match{Input: policies.Range{Min: 32001}}},
		},
		Exact:  &policies.ExactCache{TTL: 24 * time.Hour, Per: "team", MaxTemperature: 0.7, ToolCalls: true, MaxMegabytes: 1024},
		Prompt: true,
		Pools: []policies.Pool{{
			Name: "gpu", Endpoints: []string{"http://10.0.0.5:8000", "https://gpu.example.com"}, GPUHour: 2_100_000_000, GPUs: 2,
			SpotHour: 900_000_000, SpotShare: 60, Models: []policies.PoolModel{{Model: "meta/llama-3.3-70b", Quantisation: "fp8", Throughput: 1800}},
			Throughput: 2500, Context: 32000, Use: policies.AboveVolume, Above: 1_000_000, Credential: policies.Credential{File: "/run/secrets/gpu"},
		}},
		Budgets: []policies.Budget{
			{Name: "company", Limit: 14200 * pricing.Dollar, Window: policies.Month, Zone: zone(t, "Europe/Berlin"), FreeOnly: true,
				Steps: []policies.Step{
					{Percent: 80, Do: policies.StepAlert}, {Percent: 90, Do: policies.StepAlert},
					{Percent: 90, Do: policies.StepCapTier, Tier: "medium"}, {Percent: 95, Do: policies.StepPools},
					{Percent: 98, Do: policies.StepRefuse},
				}},
			{Name: "every team", Limit: 500*pricing.Dollar + 500_000_000, Window: policies.Day, Zone: time.UTC,
				Per: []policies.DimensionName{"team", "session"}, AbortedEstimate: true},
			{Name: "agents", Limit: 5 * pricing.Dollar, Window: policies.Rolling, Length: 24 * time.Hour, Zone: time.UTC,
				Per: []policies.DimensionName{"team", "model"}, FitOutput: 256, StopOnBudget: true, OpenOnOutage: true,
				Only:  []policies.Condition{{Key: "team", Values: []string{"research*", "ops"}}, {Key: "provider", Values: []string{"openai"}}},
				Steps: []policies.Step{{Percent: 90, Do: policies.StepFit}}},
			{Name: "features", Limit: 5 * pricing.Dollar, Window: policies.Hour, Zone: time.UTC, Soft: true,
				Per: []policies.DimensionName{"feature", "key"}},
		},
		Unknown:   policies.UnknownModel{Charge: 12_500_000_000, Alert: true},
		Overlays:  []string{"prices/overlay.json"},
		Discounts: []policies.Discount{{Vendor: "openai", Models: []string{"gpt-*"}, PPM: 925_000}, {Vendor: "anthropic", PPM: 850_000}},
		Keep:      400 * 24 * time.Hour,
		Refusal:   402,
	}
	if diff := cmp.Diff(want, got, zoned, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Parse(sketch.good.yaml) (-want +got):\n%s", diff)
	}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestTheSmallestPolicyObserves(t *testing.T) {
	got, problems := Parse("p.yaml", []byte("version: 1\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	caller := policies.Credential{Caller: true}
	want := &policies.Policy{
		Mode: policies.Observe,
		Providers: []policies.Provider{
			{Name: "openai", Vendor: "openai", Hosts: []string{"api.openai.com"}, Credential: caller},
			{Name: "anthropic", Vendor: "anthropic", Hosts: []string{"api.anthropic.com"}, Credential: caller},
			{Name: "google", Vendor: "google", Hosts: []string{"generativelanguage.googleapis.com", "aiplatform.googleapis.com"}, Credential: caller},
		},
		Unknown: policies.UnknownModel{Charge: 30_000_000_000, Alert: true},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFilesThatAreTooLargeAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		want       Code
	}{
		{"bytes", "version: 1\n#" + strings.Repeat("x", maxBytes), FileTooLarge},
		{"entries", "version: 1\nrules:\n" + strings.Repeat("- {}\n", maxEntries+1), FileTooLarge},
		{"keys", "version: 1\n" + strings.Repeat("k: 1\n", maxEntries+1), FileTooLarge},
		{"levels", strings.Repeat("[", 500_000), YAMLSyntax},
		{"aliases", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", YAMLFeature},
		{"encoding", "version: \xff", YAMLSyntax},
		{"control characters", "version: \x01", YAMLSyntax},
		{"nothing", "", YAMLSyntax},
	} {
		t.Run(tt.name, func(t *testing.T) {
			policy, problems := Parse("p.yaml", []byte(tt.data))
			if policy != nil || len(problems) == 0 || problems[0].Code != tt.want {
				t.Errorf("policy %v, problems %.300v, want %s", policy != nil, problems, tt.want)
			}
		})
	}
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	const secret = "sk-live-0123456789"
	for _, data := range []string{
		"version: 1\nproviders: {openai: {bogus: 1, credential: " + secret + "}}\n",
		"version: 1\nproviders:\n  openai:\n    credential: \"" + secret + "\"\n",
		"version: 1\nproviders:\n  openai:\n    credential: file:" + secret + "\n",
	} {
		_, problems := Parse("p.yaml", []byte(data))
		if problems.Err() == nil || strings.Contains(problems.Error(), secret) {
			t.Errorf("problems of %q:\n%v", data, problems)
		}
	}
}
