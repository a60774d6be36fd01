package envoy

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Mode says where a call goes that nobody decided. Its values are those of the
// policy file, written here again: this package needs the standard library only.
type Mode string

// The modes of a configuration.
const (
	Observe Mode = "observe" // to the provider
	Enforce Mode = "enforce" // nowhere: 503
)

// Config is what a bootstrap is rendered from. The zero value is not valid: Mode,
// Listen, AdminAddress and at least one Upstream are needed.
type Config struct {
	Mode         Mode
	Listen       string // HOST:PORT of the listener; HOST is an IP address, port 0 lets Envoy choose
	AdminAddress string // HOST:PORT of Envoy's admin interface, in the same form
	ExtProc      string // farebox server, unix:PATH or HOST:PORT; empty leaves the ext_proc filter out
	Wasm         *Wasm  // light filter right before the router; nil leaves it out
	Upstreams    []Upstream
	Fallback     string // Upstream of undecided calls in observe mode that no other rule places; empty: 503
	TrustedCA    string // PEM file that https upstreams are verified with; empty: Debian's bundle
	AccessLog    string // file of the JSON access log; empty: standard output
}

// Wasm is the proxy-wasm filter and its configuration.
type Wasm struct {
	File   string // path of farebox.wasm
	Config string // plugin configuration: the compiled policy
}

// Upstream is a provider or a pool that calls are routed to.
//
// Hosts, Prefix, Headers, Queries and Paths place the undecided calls of observe
// mode, tried in this order over all upstreams. They have no effect in enforce
// mode, in which farebox takes the prefix away itself.
type Upstream struct {
	Name    string   // provider or pool, as in the dynamic metadata farebox.route
	URLs    []string // endpoints that share the load: http or https, host and optional port, no path
	Hosts   []string // names in the client's Host header, without port
	Prefix  string   // segments that name the upstream, as in "/eu", where the host does not, and are cut from the path; may be empty
	Headers []string // request headers that only clients of this provider send
	Queries []string // query parameters that only clients of this provider send
	Paths   []string // prefixes of the request path; the longest one wins
}

var (
	upstreamName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	headerName   = regexp.MustCompile(`^[a-z0-9-]+$`)
	queryName    = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	// Envoy takes no prefix of segments with a query, a fragment or a slash at its end.
	pathPrefix = regexp.MustCompile(`^(/[^/?#]+)+$`)
)

// validate returns every mistake in c, joined.
func (c Config) validate() error {
	var errs []error
	if c.Mode != Observe && c.Mode != Enforce {
		errs = append(errs, fmt.Errorf("unknown mode %q: want %q or %q", c.Mode, Observe, Enforce))
	}
	if c.Mode == Enforce && c.ExtProc == "" && c.Wasm == nil {
		errs = append(errs, errors.New("enforce mode without ext_proc and without filter: nothing would decide a call"))
	}
	errs = append(errs, checkBind("listen", c.Listen), checkBind("admin", c.AdminAddress))
	if c.ExtProc != "" {
		if _, err := parseAddress(c.ExtProc); err != nil {
			errs = append(errs, fmt.Errorf("ext_proc: %w", err))
		}
	}
	if c.Wasm != nil && c.Wasm.File == "" {
		errs = append(errs, errors.New("filter without a file"))
	}
	return errors.Join(append(errs, c.validateUpstreams()...)...)
}

func (c Config) validateUpstreams() []error {
	var errs []error
	if len(c.Upstreams) == 0 {
		errs = append(errs, errors.New("no upstream"))
	}
	seen := map[string]bool{}
	for _, u := range c.Upstreams {
		if seen[u.Name] {
			errs = append(errs, fmt.Errorf("upstream %q is there twice", u.Name))
		}
		seen[u.Name] = true
		errs = append(errs, u.validate())
	}
	if c.Fallback != "" && !seen[c.Fallback] {
		errs = append(errs, fmt.Errorf("fallback %q is not an upstream", c.Fallback))
	}
	return errs
}

func (u Upstream) validate() error {
	if !upstreamName.MatchString(u.Name) || strings.HasPrefix(u.Name, "farebox_") {
		return fmt.Errorf("upstream name %q: want letters, digits, dots, dashes and underscores, and no prefix farebox_", u.Name)
	}
	if _, err := u.endpoints(); err != nil {
		return fmt.Errorf("upstream %q: %w", u.Name, err)
	}
	if u.Prefix != "" && !pathPrefix.MatchString(u.Prefix) {
		return fmt.Errorf("upstream %q: prefix %q: want segments as in \"/eu\", without a slash at the end", u.Name, u.Prefix)
	}
	for _, h := range u.Headers {
		if !headerName.MatchString(h) {
			return fmt.Errorf("upstream %q: header name %q: want lower-case letters, digits and dashes", u.Name, h)
		}
	}
	for _, q := range u.Queries {
		if !queryName.MatchString(q) {
			return fmt.Errorf("upstream %q: query parameter %q: want letters, digits, dots, dashes and underscores", u.Name, q)
		}
	}
	for _, p := range u.Paths {
		if !strings.HasPrefix(p, "/") {
			return fmt.Errorf("upstream %q: path %q does not start with a slash", u.Name, p)
		}
	}
	return nil
}

// endpoint is where an upstream is reached.
type endpoint struct {
	Address address
	Host    string // for the Host header: with the port where it is not the scheme's
	SNI     string // server name to ask for and to verify; empty: plain HTTP
}

// endpoints reads the URLs. They are one cluster, so all or none of them speak TLS.
func (u Upstream) endpoints() ([]endpoint, error) {
	if len(u.URLs) == 0 {
		return nil, errors.New("no URL")
	}
	var list []endpoint
	for _, s := range u.URLs {
		e, err := parseURL(s)
		if err != nil {
			return nil, err
		}
		if list != nil && e.SNI != list[0].SNI {
			return nil, fmt.Errorf("URL %q: the URLs of an upstream are all http, or all https of one host", s)
		}
		list = append(list, e)
	}
	return list, nil
}

func parseURL(s string) (endpoint, error) {
	loc, err := url.Parse(s)
	if err != nil {
		return endpoint{}, fmt.Errorf("parse URL: %w", err)
	}
	port, known := map[string]string{"http": "80", "https": "443"}[loc.Scheme]
	if !known || loc.Hostname() == "" {
		return endpoint{}, fmt.Errorf("URL %q: want http://HOST or https://HOST", s)
	}
	if loc.Path = strings.TrimSuffix(loc.Path, "/"); *loc != (url.URL{Scheme: loc.Scheme, Host: loc.Host}) {
		return endpoint{}, fmt.Errorf("URL %q: only scheme, host and port can be given", s)
	}
	if loc.Port() != "" {
		port = loc.Port()
	}
	addr, err := parseAddress(net.JoinHostPort(loc.Hostname(), port))
	if err != nil {
		return endpoint{}, fmt.Errorf("URL %q: %w", s, err)
	}
	e := endpoint{Address: addr, Host: loc.Host}
	if loc.Scheme == "https" {
		e.SNI = loc.Hostname()
	}
	return e, nil
}

// address is a unix socket or a TCP address.
type address struct {
	Pipe string // path of a unix socket, else empty
	Host string
	Port int
}

// DNS says whether the host has to be resolved.
func (a address) DNS() bool { return a.Pipe == "" && net.ParseIP(a.Host) == nil }

// Several says that an address is one endpoint.
func (a address) Several() bool { return false }

// parseAddress reads unix:PATH or HOST:PORT.
func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		// sun_path holds 108 bytes with the closing zero: unix(7).
		if path == "" || len(path) > 107 {
			return address{}, fmt.Errorf("socket path %q: want 1 to 107 bytes", path)
		}
		return address{Pipe: path}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, fmt.Errorf("want HOST:PORT: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" {
		return address{}, fmt.Errorf("address %q: want HOST:PORT", s)
	}
	return address{Host: host, Port: int(n)}, nil
}

// checkBind reports why Envoy could not listen on addr.
func checkBind(what, addr string) error {
	a, err := parseAddress(addr)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if a.Pipe != "" || a.DNS() {
		return fmt.Errorf("%s address %q: want an IP address and a port", what, addr)
	}
	return nil
}
