package envoy

import (
	"bytes"
	_ "embed" // for the template
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed bootstrap.yaml.tmpl
var bootstrapText string

var bootstrap = template.Must(template.New("bootstrap").Funcs(template.FuncMap{"q": quote}).Parse(bootstrapText))

// The most that a request body may have: prompts with images easily pass
// Envoy's default of 1 MiB.
const bufferLimit = 16 << 20

// Where Debian, Ubuntu and Alpine keep the certificates of public authorities.
const defaultTrustedCA = "/etc/ssl/certs/ca-certificates.crt"

// controlHeaders are what farebox and its filter say of a decision. From a
// client they are forged. Labels, as x-farebox-feature, are not among them: the
// policy names those, so the server deals with them.
var controlHeaders = []string{
	"x-farebox-route", "x-farebox-decision", "x-farebox-rule", "x-farebox-tier", "x-farebox-model", "x-farebox-cache", "x-farebox-cost",
}

// Render writes the bootstrap of c to w as YAML with comments. It returns every
// mistake in c at once, and writes nothing then.
func Render(w io.Writer, c Config) error {
	text, err := c.render()
	if err != nil {
		return fmt.Errorf("render Envoy configuration: %w", err)
	}
	_, err = w.Write(text)
	return err
}

func (c Config) render() ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	v, err := newView(c)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := bootstrap.Execute(&buf, v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// view is what the template sees.
type view struct {
	Config
	ListenAt, AdminAt, ExtProcAt address

	HeaderRoutes bool     // routes match x-farebox-route instead of dynamic metadata
	Strip        []string // headers taken from clients before the first route match
	Clusters     []cluster
	Decided      []route
	Undecided    []route
	CatchAll     string // cluster
	LocalReplies []localReply
	BufferLimit  int
}

// cluster is an upstream as a cluster.
type cluster struct {
	Name      string
	endpoint  // the first one, which stands for all where they must agree
	Endpoints []endpoint
}

// Several says whether the load is shared: Envoy resolves each name as one host otherwise.
func (c cluster) Several() bool { return len(c.Endpoints) > 1 }

// DNS says whether any endpoint has to be resolved.
func (c cluster) DNS() bool {
	for _, e := range c.Endpoints {
		if e.Address.DNS() {
			return true
		}
	}
	return false
}

// route leads to a cluster. One that is decided matches by its name, and by the
// host where there is one; one that is not has one matcher.
type route struct {
	Cluster string
	Rewrite string // regular expression of the prefix, which is cut from the path; "" for nothing
	Host    string // regular expression of the Host header
	Prefix  string // segments of the path
	Header  string // present
	Query   string // parameter, present
	Path    string // prefix
}

func newView(c Config) (view, error) {
	if c.TrustedCA == "" {
		c.TrustedCA = defaultTrustedCA
	}
	v := view{
		Config: c, HeaderRoutes: c.ExtProc == "" && c.Wasm != nil,
		CatchAll: "farebox_unrouted", LocalReplies: localReplies(), BufferLimit: bufferLimit,
	}
	var err error
	for _, a := range []struct {
		to   *address
		from string
	}{{&v.ListenAt, c.Listen}, {&v.AdminAt, c.AdminAddress}, {&v.ExtProcAt, c.ExtProc}} {
		if a.from == "" {
			continue
		}
		if *a.to, err = parseAddress(a.from); err != nil {
			return view{}, err
		}
	}
	for _, u := range c.Upstreams {
		list, err := u.endpoints()
		if err != nil {
			return view{}, err
		}
		v.Clusters = append(v.Clusters, cluster{Name: u.Name, endpoint: list[0], Endpoints: list})
	}
	v.Decided = decided(c.Mode, c.Upstreams)
	v.Strip = stripped(c.Mode, v.HeaderRoutes)
	if c.Mode == Observe {
		v.Undecided = undecided(c.Upstreams)
		if c.Fallback != "" {
			v.CatchAll = c.Fallback
		}
	}
	return v, nil
}

// stripped returns the headers that are taken from clients. Observe mode changes
// nothing, but where routes match a header no client may choose the route.
func stripped(m Mode, headerRoutes bool) []string {
	switch {
	case m == Enforce:
		return controlHeaders
	case headerRoutes:
		return controlHeaders[:1]
	}
	return nil
}

// decided returns the routes of calls that farebox decided. In observe mode it
// leaves the path as it came, so a prefix is cut here, where no host told whose
// call it is.
func decided(m Mode, upstreams []Upstream) []route {
	var routes []route
	for _, u := range upstreams {
		if m == Enforce || u.Prefix == "" {
			routes = append(routes, route{Cluster: u.Name})
			continue
		}
		if len(u.Hosts) > 0 {
			routes = append(routes, route{Cluster: u.Name, Host: hostPattern(u.Hosts...)})
		}
		routes = append(routes, route{Cluster: u.Name, Rewrite: u.rewrite()})
	}
	return routes
}

// undecided returns the routes of calls that nobody decided: by host, by the
// longest prefix, by a header, by a query parameter, by the longest path.
func undecided(upstreams []Upstream) []route {
	var hosts, prefixes, headers, queries, paths []route
	for _, u := range upstreams {
		for _, h := range u.Hosts {
			hosts = append(hosts, route{Cluster: u.Name, Host: hostPattern(h)})
		}
		if u.Prefix != "" {
			prefixes = append(prefixes, route{Cluster: u.Name, Rewrite: u.rewrite(), Prefix: u.Prefix})
		}
		for _, h := range u.Headers {
			headers = append(headers, route{Cluster: u.Name, Header: h})
		}
		for _, q := range u.Queries {
			queries = append(queries, route{Cluster: u.Name, Query: q})
		}
		for _, p := range u.Paths {
			paths = append(paths, route{Cluster: u.Name, Path: p})
		}
	}
	slices.SortStableFunc(prefixes, func(a, b route) int { return len(b.Prefix) - len(a.Prefix) })
	slices.SortStableFunc(paths, func(a, b route) int { return len(b.Path) - len(a.Path) })
	return slices.Concat(hosts, prefixes, headers, queries, paths)
}

// hostPattern returns a regular expression of the Host headers that name a host.
func hostPattern(hosts ...string) string {
	quoted := make([]string, len(hosts))
	for i, h := range hosts {
		quoted[i] = regexp.QuoteMeta(h)
	}
	return "(?i)(" + strings.Join(quoted, "|") + ")(:[0-9]+)?"
}

// rewrite returns the regular expression of the prefix with what ends it, which a
// slash takes the place of; "" if there is no prefix.
func (u Upstream) rewrite() string {
	if u.Prefix == "" {
		return ""
	}
	return "^" + regexp.QuoteMeta(u.Prefix) + "(/|$)"
}

// quote returns s as a double-quoted YAML scalar: YAML takes every JSON string.
func quote(s string) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
