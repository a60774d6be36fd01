package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/farebox-mesh/farebox/pricing"
)

const (
	scrapeTimeout = 2 * time.Second
	maxScrape     = 4 << 20  // bytes of an answer; vLLM's has some ten thousand per model
	maxLine       = 64 << 10 // bytes of a line of it
	maxSamples    = 4096     // that are of interest
)

// meaning is what a sample says of a server.
type meaning int

const (
	tokensTotal  meaning = iota + 1 // processed since the start, of prompts or of answers
	running                         // requests in the batch
	waiting                         // requests in the queue
	cacheUsage                      // share of the key-value cache, 0 to 1
	processStart                    // seconds since 1970
)

// samplesOf holds the names that inference servers give to what farebox reads.
// Sources: vLLM, vllm/v1/metrics/loggers.py (gpu_cache_usage_perc is an older name); SGLang,
// python/sglang/srt/metrics/collector.py; text-generation-inference, router/src/server.rs, whose token counts are the
// sums of histograms. process_start_time_seconds is a convention of Prometheus clients.
var samplesOf = map[string]meaning{
	"vllm:prompt_tokens_total":         tokensTotal,
	"vllm:generation_tokens_total":     tokensTotal,
	"vllm:num_requests_running":        running,
	"vllm:num_requests_waiting":        waiting,
	"vllm:kv_cache_usage_perc":         cacheUsage,
	"vllm:gpu_cache_usage_perc":        cacheUsage,
	"sglang:prompt_tokens_total":       tokensTotal,
	"sglang:generation_tokens_total":   tokensTotal,
	"sglang:num_running_reqs":          running,
	"sglang:num_queue_reqs":            waiting,
	"sglang:token_usage":               cacheUsage,
	"tgi_request_input_length_sum":     tokensTotal,
	"tgi_request_generated_tokens_sum": tokensTotal,
	"tgi_batch_current_size":           running,
	"tgi_queue_size":                   waiting,
	"process_start_time_seconds":       processStart,
}

// sample is what a server said of itself at a moment.
type sample struct {
	at               time.Time
	started          float64                       // seconds since 1970; 0 unknown
	tokens           map[pricing.ModelName]float64 // since the start, of prompts and answers together
	running, waiting int64
	cache            float64 // share of the key-value cache in use, of the engine that has least left
}

// newClient returns a client for scrapes. Every request makes a connection of its own: through one that stays, a
// balancer would hide that several servers answer on an address. Nothing of the environment sends it elsewhere.
func newClient() *http.Client {
	return &http.Client{
		Timeout: scrapeTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxLine,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// scrape asks a server for its metrics. It carries no credential. The caller sets the moment.
func scrape(ctx context.Context, client *http.Client, endpoint string) (sample, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/metrics", nil)
	if err != nil {
		return sample{}, err
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	response, err := client.Do(request)
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err // the address stands before it
	}
	if err != nil {
		return sample{}, fmt.Errorf("GET /metrics: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return sample{}, fmt.Errorf("GET /metrics answered %s", response.Status)
	}
	s, err := readSample(response.Body)
	if err != nil {
		return sample{}, fmt.Errorf("GET /metrics: %w", err)
	}
	return s, nil
}

// readSample reads the text format of Prometheus. All but a few lines are dropped before they are parsed, so that
// the size of the answer bounds the memory that it takes.
func readSample(r io.Reader) (sample, error) {
	lines, err := keepLines(r)
	if err != nil {
		return sample{}, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(lines))
	if err != nil {
		return sample{}, err
	}
	s := sample{tokens: map[pricing.ModelName]float64{}}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			if err := s.take(samplesOf[name], m); err != nil {
				return sample{}, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if len(s.tokens) == 0 {
		return sample{}, errors.New("no token counts as of vLLM, SGLang or TGI")
	}
	return s, nil
}

// keepLines returns the lines that hold samples of samplesOf. They are without a type, which nothing here needs.
func keepLines(r io.Reader) ([]byte, error) {
	limited := &io.LimitedReader{R: r, N: maxScrape + 1}
	scanner := bufio.NewScanner(limited)
	scanner.Buffer(nil, maxLine)
	var kept bytes.Buffer
	count := 0
	for scanner.Scan() {
		line := scanner.Bytes()
		name := line
		if end := bytes.IndexAny(line, "{ \t"); end >= 0 {
			name = line[:end]
		}
		if samplesOf[string(name)] == 0 {
			continue
		}
		if count++; count > maxSamples {
			return nil, fmt.Errorf("more than %d samples", maxSamples)
		}
		kept.Write(line)
		kept.WriteByte('\n')
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("longer than %d bytes", maxScrape)
	}
	return kept.Bytes(), nil
}

// take adds one sample of a server. Engines, and ranks that share the data, are added up.
func (s *sample) take(what meaning, m *dto.Metric) error {
	// More than any server counts to, and exact as an integer.
	const most = 1 << 53
	v := m.GetUntyped().GetValue()
	if math.IsNaN(v) || v < 0 || v > most {
		return fmt.Errorf("value %v", v)
	}
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	// Ranks that share a model's layers all speak of the same requests.
	for _, rank := range [...]string{"tp_rank", "pp_rank"} {
		if n := labels[rank]; n != "" && n != "0" {
			return nil
		}
	}
	switch what {
	case tokensTotal:
		s.tokens[pricing.ModelName(labels["model_name"])] += v
	case running:
		s.running += int64(v)
	case waiting:
		s.waiting += int64(v)
	case cacheUsage:
		s.cache = max(s.cache, min(v, 1))
	case processStart:
		s.started = v
	}
	return nil
}
