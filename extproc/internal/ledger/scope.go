package ledger

import (
	"slices"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// value returns what a call counts under in a dimension that may scope money, and whether there is anything.
func (c *Call) value(name policies.DimensionName) (string, bool) {
	switch name {
	case policies.DimModel:
		return string(c.Model), c.Model != ""
	case policies.DimProvider:
		return string(c.Route), c.Route != ""
	}
	for i := range c.Dims {
		if c.Dims[i].Name == name && c.Dims[i].Verified {
			return c.Dims[i].Value, true
		}
	}
	return "", false
}

// meets reports whether a call satisfies a condition of a budget's Only. A missing value meets only "".
func meets(c *Call, want *policies.Condition) bool {
	value, _ := c.value(policies.DimensionName(want.Key))
	return slices.Contains(want.Values, value)
}

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
