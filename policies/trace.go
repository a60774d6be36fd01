package policies

import "fmt"

// RuleTrace says what became of one rule in a decision.
type RuleTrace struct {
	Name    RuleName
	Matched bool
	Why     string // for people: the condition that failed, "" if it matched
}

// Trace lists the rules that Decide looks at for a request, up to and including the one that matches.
func (s *Set) Trace(r Request) []RuleTrace {
	var trace []RuleTrace
	for i := range s.policy.Rules {
		rule := &s.policy.Rules[i]
		failed := rule.When.check(&r)
		if failed == (mismatch{}) {
			return append(trace, RuleTrace{Name: rule.Name, Matched: true})
		}
		trace = append(trace, RuleTrace{Name: rule.Name, Why: failed.describe(&r)})
	}
	return trace
}

// describe says what the request has where the rule wants something else.
func (m mismatch) describe(r *Request) string {
	call := r.Call
	switch m.kind {
	case "dimension":
		return fmt.Sprintf("%s is %s", m.key, quoted(r.dim(DimensionName(m.key))))
	case "header":
		return fmt.Sprintf("header %s is %s", m.key, quoted(r.header(m.key)))
	case "model":
		return "model is " + quoted(string(call.Model))
	case "provider":
		return "provider is " + quoted(string(r.Route))
	case "path":
		return "path is " + quoted(r.Path)
	case "api":
		return "api is " + string(call.API)
	case "tools":
		return fmt.Sprintf("the request declares %d tools", call.Tools)
	case "images":
		return fmt.Sprintf("the request has %d images", call.ImageParts)
	case "stream":
		return fmt.Sprintf("stream is %t", call.Stream)
	case "input":
		return fmt.Sprintf("input is about %d tokens", call.InputEstimate())
	}
	if call.MaxOutput == 0 {
		return "the request has no output cap"
	}
	return fmt.Sprintf("the output cap is %d tokens", call.MaxOutput)
}

func quoted(s string) string {
	if s == "" {
		return "not set"
	}
	return fmt.Sprintf("%q", s)
}
