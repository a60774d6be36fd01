package envoy

import (
	"bytes"
	_ "embed" // for the template
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"sort"
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
	if err := c.validate(); err != nil {
		return fmt.Errorf("render Envoy configuration: %w", err)
	}
	v, err := newView(c)
	if err != nil {
		return fmt.Errorf("render Envoy configuration: %w", err)
	}
	var buf bytes.Buffer
	if err := bootstrap.Execute(&buf, v); err != nil {
		return fmt.Errorf("render Envoy configuration: %w", err)
	}
	_, err = w.Write(buf.Bytes())
	return err
}

// view is what the template sees.
type view struct {
	Config
	ListenAt, AdminAt, ExtProcAt address

	HeaderRoutes bool     // routes match x-farebox-route instead of dynamic metadata
	Strip        []string // headers taken from clients before the first route match
	Clusters     []cluster
	Undecided    []undecidedRoute
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

// undecidedRoute places calls that nobody decided: one matcher is set.
type undecidedRoute struct {
	Cluster string
	Host    string // regular expression for the Host header
	Header  string // present
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

// undecided returns the routes of calls that nobody decided: by host, by a
// header, by the longest path.
func undecided(upstreams []Upstream) []undecidedRoute {
	var hosts, headers, paths []undecidedRoute
	for _, u := range upstreams {
		for _, h := range u.Hosts {
			hosts = append(hosts, undecidedRoute{Cluster: u.Name, Host: "(?i)" + regexp.QuoteMeta(h) + "(:[0-9]+)?"})
		}
		for _, h := range u.Headers {
			headers = append(headers, undecidedRoute{Cluster: u.Name, Header: h})
		}
		for _, p := range u.Paths {
			paths = append(paths, undecidedRoute{Cluster: u.Name, Path: p})
		}
	}
	sort.SliceStable(paths, func(i, j int) bool { return len(paths[i].Path) > len(paths[j].Path) })
	return append(append(hosts, headers...), paths...)
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
