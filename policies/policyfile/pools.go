package policyfile

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

var poolKeys = keys{
	now:   []string{"endpoints", "cost", "spot", "gpus", "throughput", "models", "context", "use", "credential"},
	later: []string{"utilisation", "on_outage", "balance", "health"},
}

func (p *parser) pool(e entry) {
	if !p.name(e.key, "pool") {
		return
	}
	what := fmt.Sprintf("pool %q", e.name)
	f := p.fields(e.key, e.value, what, poolKeys)
	pool := policies.Pool{Name: policies.RouteName(e.name), GPUs: 1}
	pool.Use, pool.Above = p.poolUse(f.get("use"))
	if n := p.required(f, "endpoints", what, "write the addresses of its servers"); n != nil {
		pool.Endpoints = p.endpoints(n)
	}
	if n := p.required(f, "cost", what, `write "cost: $2.10 per gpu-hour"`); n != nil {
		pool.GPUHour = quantity(p, n, "cost", gpuHour)
	}
	if n := f.get("gpus"); n != nil {
		pool.GPUs = positive(p, n, "gpus", gpus)
	}
	if n := p.required(f, "throughput", what, `write "throughput: 2500 tokens per second"`); n != nil {
		pool.Throughput = positive(p, n, "throughput", throughput)
	}
	if n := f.get("spot"); n != nil {
		p.spot(n, &pool)
	}
	if n := f.get("models"); n != nil {
		for _, m := range p.entries(n, `"models"`) {
			p.poolModel(m, &pool)
		}
	}
	if n := f.get("context"); n != nil {
		pool.Context = positive(p, n, "context", tokens)
	}
	if n := f.get("credential"); n != nil {
		pool.Credential = p.credential(n, false)
	}
	p.checkPoolCost(f, &pool)
	p.policy.Pools = append(p.policy.Pools, pool)
}

// gpus reads a count, the one number of the language that needs no unit.
func gpus(text string) (int64, *mistake) {
	if !isDigits(strings.TrimPrefix(text, "-")) {
		return 0, wrong(BadValue, `write a number such as "2"`, "%q is no number of GPUs", text)
	}
	return count(text)
}

// spot reads {cost: $0.90 per gpu-hour, share: 60%}.
func (p *parser) spot(n *yaml.Node, pool *policies.Pool) {
	f := p.fields(n, n, `"spot"`, keys{now: []string{"cost", "share"}})
	if c := p.required(f, "cost", `"spot"`, `write "cost: $0.90 per gpu-hour"`); c != nil {
		pool.SpotHour = positive(p, c, "cost", gpuHour)
	}
	if s := p.required(f, "share", `"spot"`, `write "share: 60%"`); s != nil {
		pool.SpotShare = positive(p, s, "share", wholePercent)
	}
}

// poolModel reads llama-3.3-70b: {quantisation: fp8, throughput: 1800 tokens per second}.
func (p *parser) poolModel(e entry, pool *policies.Pool) {
	what := fmt.Sprintf("model %q", e.name)
	f := p.fields(e.key, e.value, what, keys{now: []string{"quantisation", "throughput"}})
	m := policies.PoolModel{Model: pricing.ModelName(e.name)}
	if e.name == "" || strings.Trim(e.name, modelBytes) != "" {
		p.report(e.key, BadModel, "%q is no model of a pool", `write the name that its servers know`, e.name)
		return
	}
	if n := f.get("quantisation"); n != nil {
		if v, ok := p.label(n, "quantisation"); ok {
			m.Quantisation = v
		}
	}
	if n := p.required(f, "throughput", what, `write "throughput: 1800 tokens per second"`); n != nil {
		m.Throughput = positive(p, n, "throughput", throughput)
	}
	pool.Models = append(pool.Models, m)
}

// checkPoolCost sees to it that what the pool costs in a hundred days, as shares of it are in percent, is an amount of
// money.
func (p *parser) checkPoolCost(f fields, pool *policies.Pool) {
	if dearest := max(pool.GPUHour, pool.SpotHour); pool.GPUs > 0 && dearest > math.MaxInt64/2400/pricing.Money(pool.GPUs) {
		p.report(f.get("cost"), OutOfRange, "a day of %d GPUs costs more than ninety million dollars", "", pool.GPUs)
	}
}

// poolUse reads when a tier sends calls to the pool, and the volume above which it does.
func (p *parser) poolUse(n *yaml.Node) (policies.PoolUse, int64) {
	if n != nil && strings.HasPrefix(n.Value, "above ") {
		volume := func(text string) (int64, *mistake) { return perDay(strings.TrimPrefix(text, "above ")) }
		return policies.AboveVolume, quantity(p, n, "use", volume)
	}
	return choice(&p.source, n, "use", policies.WhenCheaper, policies.Always, policies.Never), 0
}

func (p *parser) endpoints(n *yaml.Node) []string {
	var list []string
	for _, e := range p.texts(n, "endpoints") {
		u, err := url.Parse(e.name)
		if err != nil || !isEndpoint(u) {
			p.report(e.value, BadEndpoint, "%q is no address of a server", `write it as "http://10.0.0.5:8000", without a path`, e.name)
			continue
		}
		list = append(list, u.Scheme+"://"+u.Host)
	}
	return list
}

func isEndpoint(u *url.URL) bool {
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	bare := *u
	bare.Scheme, bare.Host = "", ""
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && (bare.String() == "" || bare.String() == "/")
}

func (p *parser) isPool(name policies.RouteName) bool { return p.findPool(name) != nil }

func (p *parser) findPool(name policies.RouteName) *policies.Pool {
	for i := range p.policy.Pools {
		if p.policy.Pools[i].Name == name {
			return &p.policy.Pools[i]
		}
	}
	return nil
}
