package ledger

import (
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// dim returns the value that a call has in a dimension, and whether it is verified.
func (c *Call) dim(name policies.DimensionName) (value string, verified bool) {
	switch name {
	case policies.DimModel:
		return string(c.Model), true
	case policies.DimProvider:
		return string(c.Route), true
	}
	for i := range c.Dims {
		if c.Dims[i].Name == name {
			value, verified = c.Dims[i].Value, c.Dims[i].Verified
			if verified {
				break
			}
		}
	}
	return value, verified
}

// value returns what a call counts under in a dimension, and whether there is anything. An empty model or route is
// none; an empty value of another dimension is one.
func (m *meter) value(c *Call, name policies.DimensionName) (string, bool) {
	switch name {
	case policies.DimModel:
		return string(c.Model), c.Model != ""
	case policies.DimProvider:
		return string(c.Route), c.Route != ""
	}
	for i := range c.Dims {
		if c.Dims[i].Name == name && m.period.Counts(c.Dims[i].Verified) {
			return c.Dims[i].Value, true
		}
	}
	return "", false
}

// covers reports whether the budgets of the meter count a call.
func (m *meter) covers(c *Call) bool { return len(m.period.Only) == 0 || m.period.Covers(c.dim) }

// callIn returns a call that counts under a scope.
func callIn(scope []Dim) Call {
	var c Call
	for _, d := range scope {
		switch {
		case !d.Verified:
		case d.Name == policies.DimModel:
			c.Model = pricing.ModelName(d.Value)
		case d.Name == policies.DimProvider:
			c.Route = policies.RouteName(d.Value)
		default:
			c.Dims = append(c.Dims, d)
		}
	}
	return c
}
