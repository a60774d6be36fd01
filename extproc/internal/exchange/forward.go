package exchange

import (
	"strconv"

	"github.com/farebox-mesh/farebox/extproc/internal/cache"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// forward lets the call out. decoded says that plain is not what the client sent.
func (x *Exchange) forward(plain []byte, decoded bool) Reply {
	metadata := x.metadata(x.served.Kind.String(), x.served.Model)
	reply := Reply{Reroute: true, Metadata: append(metadata, Header{"route", string(x.served.Route)})}
	x.prefix = cache.PrefixKey{
		Route: x.served.Route, Model: x.served.Model, Prefix: x.call.Prefix, Account: x.account(x.served.Route),
	}
	if x.enforcing() {
		x.claimPrefix()
		if refusal, ok := x.edit(&reply, plain, decoded); !ok {
			return refusal
		}
		x.editor = x.newEditor()
	}
	x.c.prefixes.Sent(x.prefix, x.at)
	x.left()
	return reply
}

// claimPrefix makes the call the one that writes its prefix to the provider's cache, if it is to mark it and
// nobody keeps it yet. Where another call came first since the decision, it goes without the mark.
func (x *Exchange) claimPrefix() {
	edit := &x.served.Edit
	if !edit.MarkPrefix && !edit.CacheKey {
		return
	}
	if x.claimed = x.c.prefixes.Claim(x.prefix, x.at); !x.claimed {
		edit.MarkPrefix, edit.CacheKey = false, false
	}
}

// edit makes the request what the option wants. If it cannot, it gives the reservation back and returns the
// answer for the client.
func (x *Exchange) edit(reply *Reply, plain []byte, decoded bool) (refusal Reply, ok bool) {
	x.served.Edit.AddUsage = !x.snap.Set.Policy().Passive
	edits, err := x.call.Rewrite(nil, x.served.Edit)
	if err != nil {
		// Decide asked Servable before: a disagreement is a bug, and the call must not leave half edited.
		x.release("internal error")
		x.logError("internal error: rewrite refused after decision", err)
		return x.end(x.refuse(provider.Unavailable, "the gateway could not rewrite this call", "", "farebox_internal"), "internal"), false
	}
	if len(edits) > 0 || decoded {
		reply.Body = provider.Apply(make([]byte, 0, len(plain)+editRoom), plain, edits)
		reply.Set = append(reply.Set, Header{"content-length", strconv.Itoa(len(reply.Body))})
	}
	if decoded {
		reply.Remove = append(reply.Remove, "content-encoding")
	}
	if !x.snap.Set.Policy().Passive {
		reply.Set = append(reply.Set, Header{"accept-encoding", "identity"})
	}
	if !x.readdress(reply) {
		x.release("no credential")
		return x.end(x.refuse(provider.Unavailable, "the gateway has no credential for the upstream it chose; ask the platform team", "", "farebox_credential"), "credential"), false
	}
	return Reply{}, true
}

// editRoom is by how much edits usually make a body longer, in bytes.
const editRoom = 256

// metadata says what was decided and which model answers: Envoy shows it to the client and logs it.
func (x *Exchange) metadata(decision string, model pricing.ModelName) []Header {
	m := make([]Header, 0, 12) // costs follow in a message of their own
	m = append(m,
		Header{"decision", decision}, Header{"model", visible(string(model))},
		Header{"requested_model", visible(string(x.call.Model))}, Header{"id", x.id.String()})
	if x.decision.Rule != "" {
		m = append(m, Header{"rule", visible(string(x.decision.Rule))})
	}
	if x.decision.Tier != "" {
		m = append(m, Header{"tier", visible(string(x.decision.Tier))})
	}
	if x.would.kind != "" {
		m = append(m, Header{"would", x.would.kind})
	}
	return m
}

// visible makes a text fit for a header, which Envoy makes of metadata: a client's text must neither end the
// header nor fail the request. What is not visible ASCII becomes a question mark.
func visible(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return cut(maskInvisible(s))
		}
	}
	return cut(s)
}

func maskInvisible(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

func cut(s string) string { return s[:min(len(s), maxLabel)] }
