package pricing_test

import (
	"fmt"

	"github.com/farebox-mesh/farebox/pricing"
)

func ExamplePrice_Cost() {
	price := pricing.Price{Rates: pricing.Rates{Input: 2_500_000_000, CacheRead: 1_250_000_000, Output: 10_000_000_000}}
	cost, err := price.Cost(pricing.Usage{Input: 86, CacheRead: 1920, Output: 300})
	fmt.Println(cost, err)
	// Output: 0.005615000 <nil>
}
