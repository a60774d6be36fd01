package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/envoy"
	"github.com/farebox-mesh/farebox/policies"
)

// envoyFlags are the flags of farebox envoy.
type envoyFlags struct {
	policy, listen, admin, extproc, log, ca, wasm string
	upstreams                                     list
	noExtProc                                     bool
}

func runEnvoy(_ context.Context, args []string, e env) int {
	var x envoyFlags
	f := flags("envoy", "envoy --policy FILE [flags]", e)
	f.StringVar(&x.policy, "policy", "", "policy `FILE`: its mode, providers and pools")
	f.StringVar(&x.listen, "listen", "127.0.0.1:10000", "`HOST:PORT` of the listener")
	f.StringVar(&x.admin, "admin", "127.0.0.1:9901", "`HOST:PORT` of Envoy's admin interface")
	f.StringVar(&x.extproc, "extproc", "unix:/run/farebox/extproc.sock", "where farebox serve listens: unix:PATH or `HOST:PORT`")
	f.BoolVar(&x.noExtProc, "no-extproc", false, "leave the ext_proc filter out")
	f.StringVar(&x.wasm, "wasm", "", "`FILE` of the light filter, to put it in")
	f.StringVar(&x.log, "access-log", "", "`FILE` of the access log; standard output by default")
	f.StringVar(&x.ca, "ca", "", "PEM `FILE` of the authorities that providers are verified with")
	f.Var(&x.upstreams, "upstream", "`NAME=URL` of a provider or pool, instead of its own; may be repeated")
	if status, ok := parse(f, args); !ok {
		return status
	}
	if wrong := onlyFlags(f, "policy"); wrong != "" {
		return misused(f, wrong)
	}
	l, err := readPolicy(x.policy, e.stderr)
	if err != nil {
		return e.fail(err)
	}
	config, err := x.config(&l)
	if err != nil {
		return e.fail(err)
	}
	x.warn(l.set.Policy(), e.stderr)
	if err := envoy.Render(e.stdout, config); err != nil {
		return e.fail(err)
	}
	return statusOK
}

func (x *envoyFlags) config(l *loaded) (envoy.Config, error) {
	c := envoy.Shipped(envoy.Mode(l.set.Policy().Mode))
	c.Listen, c.AdminAddress, c.AccessLog, c.ExtProc, c.TrustedCA = x.listen, x.admin, x.log, x.extproc, x.ca
	if x.noExtProc {
		c.ExtProc = ""
	}
	if x.wasm != "" {
		c.Wasm = &envoy.Wasm{File: x.wasm, Config: string(l.filterJSON())}
	}
	var err error
	c.Upstreams, err = x.routes(l.set, c.Upstreams)
	return c, err
}

// routes lists the policy's providers and pools. The vendors of the three big APIs are always there: calls are
// recognised by their path even where the policy does not name them.
func (x *envoyFlags) routes(set *policies.Set, shipped []envoy.Upstream) ([]envoy.Upstream, error) {
	var routes []envoy.Upstream
	for _, u := range shipped {
		if u.Name != "gpu" {
			routes = append(routes, u)
		}
	}
	for _, p := range set.Policy().Providers {
		u := envoy.Upstream{Name: string(p.Name), Hosts: p.Hosts, Prefix: p.Prefix}
		for _, host := range p.Hosts {
			if !strings.Contains(host, "*") {
				u.URLs = []string{"https://" + host}
				break
			}
		}
		routes = merge(routes, u)
	}
	for _, p := range set.Policy().Pools {
		routes = merge(routes, envoy.Upstream{Name: string(p.Name), URLs: p.Endpoints})
	}
	for _, s := range x.upstreams {
		name, url, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("upstream %q: want NAME=URL", s)
		}
		if !slices.ContainsFunc(routes, func(u envoy.Upstream) bool { return u.Name == name }) {
			return nil, fmt.Errorf("upstream %q: neither the policy nor a default has it; known: %s", name, quotedNames(namesOf(routes)))
		}
		routes = merge(routes, envoy.Upstream{Name: name, URLs: []string{url}})
	}
	for _, u := range routes {
		if len(u.URLs) == 0 {
			return nil, fmt.Errorf("provider %q: its address is not known; give hosts in the policy or --upstream %s=URL", u.Name, u.Name)
		}
	}
	return routes, nil
}

func namesOf(routes []envoy.Upstream) []string {
	names := make([]string, len(routes))
	for i := range routes {
		names[i] = routes[i].Name
	}
	return names
}

// warn says what of the policy nobody holds where the light filter stands alone.
func (x *envoyFlags) warn(p *policies.Policy, to io.Writer) {
	if x.wasm == "" || !x.noExtProc {
		return
	}
	var lost []string
	if len(p.Budgets) > 0 {
		lost = append(lost, "its "+count(len(p.Budgets), "budget"))
	}
	if p.Exact != nil {
		lost = append(lost, "its exact cache")
	}
	if len(lost) > 0 {
		fmt.Fprintf(to, "farebox: warning: without ext_proc nobody holds what the policy asks for: %s; the filter does not\n", strings.Join(lost, " and "))
	}
}

// merge adds an upstream, or what it states to the one of the same name.
func merge(routes []envoy.Upstream, u envoy.Upstream) []envoy.Upstream {
	for i := range routes {
		r := &routes[i]
		if r.Name != u.Name {
			continue
		}
		if len(u.URLs) > 0 {
			r.URLs = u.URLs
		}
		if len(u.Hosts) > 0 {
			r.Hosts = u.Hosts
		}
		if u.Prefix != "" {
			r.Prefix = u.Prefix
		}
		return routes
	}
	return append(routes, u)
}
