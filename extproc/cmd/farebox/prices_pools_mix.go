package main

import (
	"context"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// mix is how many tokens of input come with how many of output.
type mix struct {
	Input, Output int64
	Measured      bool // of the pool's calls of the last 24 hours
}

// usualMix stands for what was not measured: three tokens of input for each of output, as comparisons of prices usually
// blend them.
var usualMix = mix{Input: 3, Output: 1}

// blend returns the price of a million tokens in the mix, rounded half up. Cache reads are taken as input.
func (m mix) blend(r pricing.Rates) pricing.Rate {
	in := new(big.Int).Mul(big.NewInt(int64(r.Input)), big.NewInt(m.Input))
	out := new(big.Int).Mul(big.NewInt(int64(r.Output)), big.NewInt(m.Output))
	whole := new(big.Int).Add(big.NewInt(m.Input), big.NewInt(m.Output))
	return pricing.Rate(quotient(in.Add(in, out), whole))
}

// quotient divides and rounds half up; it stops at the largest int64. Neither number is negative, and by is not zero.
func quotient(n, by *big.Int) int64 {
	half := new(big.Int).Rsh(by, 1)
	q := half.Div(half.Add(half, n), by)
	if !q.IsInt64() {
		return 1<<63 - 1
	}
	return q.Int64()
}

// millions returns amount * 1,000,000 / by: a rate of an amount and tokens, or tokens of an amount and a rate.
func millions(amount, by int64) int64 {
	return quotient(new(big.Int).Mul(big.NewInt(amount), big.NewInt(1_000_000)), big.NewInt(by))
}

// mixes returns the mix of each pool's calls of the last 24 hours, by the ledger of a state folder if it has one.
func (p *poolsFlags) mixes(ctx context.Context, now time.Time) (_ map[policies.RouteName]mix, err error) {
	if p.state == "" {
		return nil, nil
	}
	if _, err := os.Stat(filepath.Join(p.state, "ledger.db")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	entries, err := ledger.ReadEntries(p.state)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, entries.Close()) }()
	mixes := map[policies.RouteName]mix{}
	for e, err := range entries.Between(ctx, now.Add(-24*time.Hour), now) {
		if err != nil {
			return nil, err
		}
		if in, out := e.Usage.TotalInput(), e.Usage.Output; e.Pool != "" && e.IsCall() && in+out > 0 {
			m := mixes[e.Pool]
			mixes[e.Pool] = mix{pricing.AddCapped(m.Input, in), pricing.AddCapped(m.Output, out), true}
		}
	}
	return mixes, nil
}
