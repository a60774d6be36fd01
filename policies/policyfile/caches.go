package policyfile

import (
	yaml "go.yaml.in/yaml/v4"

	"github.com/farebox-mesh/farebox/policies"
)

// defaultMegabytes is the size of an exact cache that the file does not state.
const defaultMegabytes = 256

func (p *parser) caches(f fields) {
	n := f.get("caches")
	if n == nil {
		return
	}
	c := p.fields(n, n, `"caches"`, keys{now: []string{"exact", "prompt"}, later: []string{"paraphrase", "semantic", "shared", "store"}})
	if e := c.get("exact"); e != nil {
		p.exact(e)
	}
	p.policy.Prompt = choice(&p.source, c.get("prompt"), "prompt", "off", "auto") == "auto"
}

func (p *parser) exact(n *yaml.Node) {
	f := p.fields(n, n, `"exact"`, keys{
		now:   []string{"ttl", "per", "temperature", "tool_calls", "size"},
		later: []string{"store", "stale", "on_outage"},
	})
	c := &policies.ExactCache{MaxMegabytes: defaultMegabytes}
	if ttl := p.required(f, "ttl", "the exact cache", `write "ttl: 24h"`); ttl != nil {
		c.TTL = quantity(p, ttl, "ttl", lifetime)
	}
	if per := p.required(f, "per", "the exact cache", `name who shares answers: a dimension, or "all"`); per != nil {
		switch v, ok := p.text(per, "per"); {
		case v == "all":
			c.All = true
		case ok:
			c.Per = p.scope(per, v, "cached answers")
		}
	}
	if t := f.get("temperature"); t != nil {
		c.MaxTemperature = quantity(p, t, "temperature", temperature)
	}
	c.ToolCalls = p.flag(f.get("tool_calls"), "tool_calls")
	if size := f.get("size"); size != nil {
		c.MaxMegabytes = quantity(p, size, "size", megabytes)
	}
	p.policy.Exact = c
}
