package upstream

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing"
)

func TestReadSample(t *testing.T) {
	type counts = map[pricing.ModelName]float64
	for _, tt := range []struct {
		file string
		want sample
	}{
		{"vllm.txt", sample{started: 1_763_808_120, tokens: counts{"llama-3.3-70b": 1_200_000}, running: 37, waiting: 2, cache: 0.4375}},
		{"sglang.txt", sample{tokens: counts{"qwen3-32b": 15_686_474}, running: 162, waiting: 2826, cache: 0.28}},
		{"tgi.txt", sample{tokens: counts{"": 20_000}, running: 4, waiting: 1}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			text, err := os.ReadFile("testdata/" + tt.file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readSample(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(sample{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadSampleOfSeveralEnginesAndModels(t *testing.T) {
	got, err := readSample(strings.NewReader(`vllm:prompt_tokens_total{engine="0",model_name="a"} 1
vllm:prompt_tokens_total{engine="1",model_name="a"} 2
vllm:generation_tokens_total{engine="1",model_name="a"} 4
vllm:generation_tokens_total{engine="0",model_name="b \"}\n"} 8
vllm:num_requests_waiting{engine="0"} 3
vllm:num_requests_waiting{engine="1"} 5
vllm:gpu_cache_usage_perc{engine="0"} 0.5
vllm:gpu_cache_usage_perc{engine="1"} 0.25
`))
	if err != nil {
		t.Fatal(err)
	}
	want := sample{tokens: map[pricing.ModelName]float64{"a": 7, "b \"}\n": 8}, waiting: 8, cache: 0.5}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(sample{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadSampleRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, err string }{
		{"nothing", "", "no token counts"},
		{"a page", "<!doctype html>\n<title>Not here</title>\n", "no token counts"},
		{"metrics of something else", "node_cpu_seconds_total{cpu=\"0\"} 12\nprocess_start_time_seconds 12\n", "no token counts"},
		{"no value", "vllm:prompt_tokens_total\n", "text format parsing error"},
		{"no number", "vllm:prompt_tokens_total{a=\"b\"} much\n", "text format parsing error"},
		{"open labels", "vllm:prompt_tokens_total{a=\"b 1\n", "text format parsing error"},
		{"not a number", "vllm:prompt_tokens_total NaN\n", "value NaN"},
		{"infinite", "vllm:prompt_tokens_total +Inf\n", "value +Inf"},
		{"negative", "vllm:prompt_tokens_total -1\n", "value -1"},
		{"a long line", "vllm:prompt_tokens_total{a=\"" + strings.Repeat("x", maxLine) + "\"} 1\n", "token too long"},
		{"many samples", strings.Repeat("vllm:prompt_tokens_total 1\n", maxSamples+1), "more than 4096 samples"},
		{"a long answer", strings.Repeat("# nothing to see here\n", maxScrape/22+1), "longer than 4194304 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readSample(strings.NewReader(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%+v, %v; want an error with %q", got, err, tt.err)
			}
		})
	}
}

func TestScrapeGoesNowhereElseAndCarriesNothing(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	for _, tt := range []struct {
		name  string
		serve http.HandlerFunc
		err   string
	}{
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, "answered 302 Found"},
		{"a refusal", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnauthorized) }, "answered 401 Unauthorized"},
		{"a broken answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "vllm:prompt_tokens_total 1\n")
		}, "unexpected EOF"},
		{"metrics", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/metrics" || r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
				t.Errorf("asked for %s with %v", r.URL, r.Header)
			}
			fmt.Fprint(w, "vllm:prompt_tokens_total 1\n")
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.serve)
			defer server.Close()
			got, err := scrape(t.Context(), newClient(), server.URL)
			if tt.err == "" && (err != nil || got.tokens[""] != 1) {
				t.Errorf("%+v, %v", got, err)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%v, want %q", err, tt.err)
			}
		})
	}
}

func TestScrapeWaitsNotLong(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "vllm:prompt_tokens_total 1\n")
		w.(http.Flusher).Flush()
		<-hang
	}))
	defer server.Close()
	defer close(hang)
	client := newClient()
	if client.Timeout != scrapeTimeout {
		t.Errorf("timeout %v, want %v", client.Timeout, scrapeTimeout)
	}
	client.Timeout /= 40 // the test need not wait for all of it
	if got, err := scrape(t.Context(), client, server.URL); err == nil || !strings.Contains(err.Error(), "Timeout") {
		t.Errorf("%+v, %v; want a timeout", got, err)
	}
}

func FuzzReadSample(f *testing.F) {
	f.Add([]byte("vllm:prompt_tokens_total{model_name=\"a\"} 1\nvllm:num_requests_waiting 2\n"))
	f.Add([]byte("tgi_request_input_length_sum 1e3 1763808120\nsglang:token_usage{} NaN"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readSample(bytes.NewReader(text))
		if err != nil {
			return
		}
		again, err := readSample(bytes.NewReader(append([]byte("other{a=\"b\"} 1\n"), text...)))
		if err != nil {
			t.Fatalf("with a line of something else: %v", err)
		}
		if diff := cmp.Diff(got, again, cmp.AllowUnexported(sample{})); diff != "" {
			t.Errorf("a line of something else counts:\n%s", diff)
		}
		if got.running < 0 || got.waiting < 0 || got.cache < 0 || got.cache > 1 {
			t.Errorf("out of range: %+v", got)
		}
	})
}
