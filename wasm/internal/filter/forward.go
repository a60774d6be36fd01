package filter

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// edits is what is to be changed in a request before it leaves.
type edits struct {
	route  policies.RouteName // "" leaves the routing to the route table
	body   []byte             // replaces the body, if not nil
	set    [][2]string
	remove []string
}

// forward lets the call out as the option that serves it says. decoded says that plain is not what the client
// sent.
func (x *Exchange) forward(call *provider.Request, plain []byte, decoded bool) Action {
	changes, err := call.Rewrite(nil, x.served.Edit)
	if err != nil {
		// Decide asked whether the call can be served: a disagreement is a bug, and it must not leave half edited.
		x.fail(fmt.Sprintf("internal error: rewrite refused after decision: %v", err))
		return x.undecidable()
	}
	e := edits{route: x.served.Route}
	if len(changes) > 0 || decoded {
		e.body = provider.Apply(nil, plain, changes)
		e.set = append(e.set, [2]string{"content-length", strconv.Itoa(len(e.body))})
	}
	if decoded {
		e.remove = append(e.remove, "content-encoding")
	}
	if !x.f.set.Policy().Passive {
		e.set = append(e.set, [2]string{"accept-encoding", "identity"})
	}
	x.readdress(call, &e)
	return x.send(&e)
}

// readdress turns the path to the upstream that serves the call, without the prefix that named a provider. A call that
// moves leaves the caller's credentials behind, and so does one to a provider that takes none. Where a key from a file
// belongs, a call that stays keeps the caller's instead.
func (x *Exchange) readdress(call *provider.Request, e *edits) {
	path := x.f.set.ProviderPath(x.in.host, call.RewritePath(x.served.Edit))
	moved := x.served.Route != x.route
	if moved {
		path = provider.PathAt(x.served.Vendor, call.API, path)
	}
	if credential := x.f.set.Credential(x.served.Route); moved || credential == (policies.Credential{}) {
		path = provider.WithoutKey(path)
		for i := range x.in.headers {
			if name := x.in.headers[i][0]; provider.IsCredential(name, x.vendor, x.served.Vendor, moved) && !slices.Contains(e.remove, name) {
				e.remove = append(e.remove, name)
			}
		}
	}
	if path != x.in.path {
		e.set = append(e.set, [2]string{":path", path})
	}
}

// send makes the edits and lets the request go. The header of the route is always set or taken away, whatever
// the client sent; which makes the proxy choose the route anew.
func (x *Exchange) send(e *edits) Action {
	if err := x.apply(e); err != nil {
		x.fail(err.Error())
		return x.undecidable()
	}
	x.in.headers = nil
	return Continue
}

// apply makes the edits, those first that the call must not leave without.
func (x *Exchange) apply(e *edits) error {
	if e.body != nil {
		if err := x.host.SetRequestBody(e.body); err != nil {
			return fmt.Errorf("replace request body: %w", err)
		}
	}
	for i := range x.in.headers {
		name := x.in.headers[i][0]
		if name == routeHeader || (x.enforcing() && x.f.set.Stripped(name)) {
			e.remove = append(e.remove, name)
		}
	}
	for _, name := range e.remove {
		if err := x.host.RemoveRequestHeader(name); err != nil {
			return fmt.Errorf("remove request header %q: %w", name, err)
		}
	}
	if e.route != "" {
		e.set = append(e.set, [2]string{routeHeader, string(e.route)})
	}
	for _, h := range e.set {
		if err := x.host.SetRequestHeader(h[0], h[1]); err != nil {
			return fmt.Errorf("set request header %q: %w", h[0], err)
		}
	}
	return nil
}
