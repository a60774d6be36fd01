// Package pricing is the arithmetic of what model calls cost.
//
// Money is an integer of nano-dollars and Rate an integer of nano-dollars per million tokens, so that every
// published price is exact and no float stands between a price list and the ledger. Usage counts tokens in
// disjoint kinds; Price.Cost multiplies the two with 128-bit products and rounds once. Table finds the price
// that was in force for a model at a moment.
//
// The package reads no clock, file or network: it serves the server, the proxy-wasm filter and the tests alike.
package pricing

// ModelName is a model's identifier as the provider spells it, such as "gpt-4o-2024-05-13".
type ModelName string

// ProviderName names a vendor as the catalogue does: "openai", "anthropic", "google".
type ProviderName string
