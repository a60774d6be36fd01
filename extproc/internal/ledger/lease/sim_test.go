package lease

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/farebox-mesh/farebox/pricing"
)

// sim is a world of replicas, a server with a follower, and a network between them, in a time of its own. What
// happens next is drawn from a seed.
type sim struct {
	t    *testing.T
	rand *rand.Rand
	now  time.Time
	// waits: grants are used only when the follower has them. Otherwise the follower may lag, and the world keeps to
	// what the package comment asks for: nobody who holds a lost grant crashes or is cut off within the recovery time.
	waits bool

	server, follower *model
	skew             time.Duration // of the server's clock
	log              []simLogged   // what the follower does not have yet
	epochs           int
	serverDown       bool
	calmUntil        time.Time

	limits   map[string][]Limit
	raised   map[Account][]Raise       // by top-ups
	truth    map[Account]pricing.Money // spent and reserved by the journals
	replicas []*simReplica
	busy     int // the replica that most things happen to
	messages []*simMessage

	calls, admitted, refused, topUps, failovers int
	trips, shared                               int // operations that asked, and those that did for several calls
}

type simLogged struct {
	op    Op
	topUp *TopUp
	at    time.Time
}

// simMessage is under way to the server, or, with a reply, back.
type simMessage struct {
	replica *simReplica
	op      Op
	reply   *Reply
	at      time.Time
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{t: t, rand: rand.New(rand.NewPCG(seed, 9)), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), waits: seed%2 == 0}
	s.raised, s.truth = map[Account][]Raise{}, map[Account]pricing.Money{}
	s.limits = map[string][]Limit{
		"company": {{"company", 900, 100}}, "team": {{"team", 300, 100}}, "rolling": {{"rolling", 300, 100}},
		"agent": {{"agent", 80, 75}, {"all agents", 65, 100}}, // top-ups of the first make the second the tighter one
	}
	s.server, s.follower = newModel("run0", 5*time.Second), newModel("run0", 5*time.Second)
	for i := range 3 + s.rand.IntN(6) {
		skew := time.Duration(s.rand.IntN(600)-300) * time.Second
		s.replicas = append(s.replicas, &simReplica{sim: s, name: fmt.Sprint("r", i), skew: skew})
		s.replicas[i].start()
	}
	return s
}

// accountAt returns the account of a key at a time of the server: windows of up to a minute, or grains of two
// seconds that count for twenty more.
func (s *sim) accountAt(key string, at time.Time) Account {
	length, more := time.Minute, time.Duration(0)
	switch key {
	case "team":
		length = 30 * time.Second
	case "agent":
		length = 20 * time.Second
	case "rolling":
		length, more = 2*time.Second, 20*time.Second
	}
	start := at.Truncate(length)
	return Account{Key: key, Start: start, End: start.Add(length), Expires: start.Add(length + more)}
}

// serverNow is the time by the server's clock.
func (s *sim) serverNow() time.Time { return s.now.Add(s.skew).Truncate(time.Millisecond) }

// calm reports whether the world has to behave: a server that may have lost grants is recovering.
func (s *sim) calm() bool { return s.now.Before(s.calmUntil) }

// send puts an operation on the network, which may lose it, hold it up or double it. A double may come seconds later.
func (s *sim) send(r *simReplica, op Op) {
	if !r.cut && (s.calm() || s.rand.IntN(25) > 0) {
		s.messages = append(s.messages, &simMessage{replica: r, op: op, at: s.now.Add(s.delay())})
	}
	if !r.cut && s.rand.IntN(4) == 0 {
		late := time.Duration(s.rand.IntN(3000)) * time.Millisecond
		s.messages = append(s.messages, &simMessage{replica: r, op: op, at: s.now.Add(late)})
	}
}

func (s *sim) delay() time.Duration {
	if !s.calm() && s.rand.IntN(6) == 0 {
		return time.Duration(s.rand.IntN(2000)) * time.Millisecond
	}
	return time.Duration(s.rand.IntN(40)) * time.Millisecond
}

// deliver hands over the messages that are due, in the order of their times.
func (s *sim) deliver() {
	for {
		next := -1
		for i, m := range s.messages {
			if !m.at.After(s.now) && (next < 0 || m.at.Before(s.messages[next].at)) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		m := s.messages[next]
		s.messages = slices.Delete(s.messages, next, next+1)
		switch {
		case m.reply != nil:
			m.replica.hear(m)
		case !s.serverDown:
			s.serve(m)
		}
	}
}

// serve has the server carry out an operation and answer it.
func (s *sim) serve(m *simMessage) {
	at := s.serverNow()
	reply := s.server.do(&m.op, at)
	s.log = append(s.log, simLogged{op: m.op, at: at})
	if s.waits {
		s.follow(len(s.log))
	}
	if m.replica.cut || (!s.calm() && s.rand.IntN(25) == 0) {
		return
	}
	s.messages = append(s.messages, &simMessage{replica: m.replica, op: m.op, reply: &reply, at: s.now.Add(s.delay())})
}

// follow copies the first n operations to the follower.
func (s *sim) follow(n int) {
	for _, l := range s.log[:n] {
		if l.topUp != nil {
			s.follower.topUp(l.topUp)
		} else {
			s.follower.do(&l.op, l.at)
		}
	}
	s.log = s.log[n:]
}

// failOver puts the follower in the server's place, with what it has and a clock of its own.
func (s *sim) failOver() {
	need := 0
	for i, l := range s.log {
		r := slices.IndexFunc(s.replicas, func(r *simReplica) bool { return r.name == l.op.Replica })
		if !s.waits && (l.topUp != nil || !s.replicas[r].up || s.replicas[r].cut) {
			need = i + 1
		}
	}
	s.follow(need + s.rand.IntN(len(s.log)-need+1))
	s.log = nil
	s.epochs++
	s.failovers++
	run := fmt.Sprint("run", s.epochs)
	s.server, s.follower = s.follower.copied(run), s.follower.copied(run)
	s.skew += time.Duration(s.rand.IntN(600)-300) * time.Millisecond
	s.serverDown = false
	if !s.waits {
		s.calmUntil = s.now.Add(8 * time.Second)
	}
}

// step lets one thing happen.
func (s *sim) step() string {
	if s.rand.IntN(200) == 0 {
		s.busy = s.rand.IntN(len(s.replicas))
	}
	r := s.replicas[s.busy]
	if s.rand.IntN(4) == 0 {
		r = s.replicas[s.rand.IntN(len(s.replicas))]
	}
	switch n := s.rand.IntN(1000); {
	case n < 450:
		if r.up {
			r.call(s.newCall())
		}
		return "call"
	case n < 700:
		if open := r.open(); r.up && len(open) > 0 {
			c := open[s.rand.IntN(len(open))]
			r.settle(c, pricing.Money(s.rand.Int64N(int64(c.reserved)+1)))
		}
		return "settle"
	case n < 710:
		if r.up && !s.calm() {
			r.crash()
		}
		return "crash"
	case n < 735:
		if !r.up {
			r.start()
		}
		return "restart"
	case n < 745:
		r.cut = !s.calm() && !r.cut
		return "partition"
	case n < 755:
		r.cut = false
		return "heal"
	case n < 758:
		if !s.calm() {
			if s.waits && r.up && s.rand.IntN(2) == 0 {
				r.crash()
			}
			s.failOver()
		}
		return "fail-over"
	case n < 762:
		s.serverDown = !s.serverDown && !s.calm()
		return "server down or up"
	case n < 766:
		s.topUp()
		return "top-up"
	case n < 772:
		s.follow(s.rand.IntN(len(s.log) + 1))
		return "follow"
	case n < 782:
		if r.up && len(r.waiting) > 0 {
			r.book.leave(r.waiting[s.rand.IntN(len(r.waiting))].wait)
			r.harvest()
		}
		return "leave"
	}
	s.pass(time.Duration(s.rand.IntN(400)) * time.Millisecond)
	return "pass"
}

// pass lets time go by.
func (s *sim) pass(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(min(20*time.Millisecond, end.Sub(s.now)))
		s.deliver()
		for _, r := range s.replicas {
			r.tick()
		}
	}
}

func (s *sim) newCall() *simCall {
	s.calls++
	c := &simCall{id: s.calls, reserved: pricing.Money([]int{1, 3, 9, 30}[s.rand.IntN(4)])}
	for _, key := range []string{"company", "team", "agent", "rolling"} {
		if key == "company" || s.rand.IntN(3) == 0 {
			c.accounts = append(c.accounts, Account{Key: key})
		}
	}
	return c
}

func (s *sim) topUp() {
	s.topUps++
	t := &TopUp{
		Account: s.accountAt("agent", s.serverNow()), Budget: s.limits["agent"][s.rand.IntN(2)].Budget,
		ID: s.now.Format("15:04") + fmt.Sprint(s.topUps/2), Amount: 10,
	}
	if _, ok := s.server.account("agent").topUps[t.ID]; !ok {
		s.raised[t.Account] = append(s.raised[t.Account], Raise{t.Budget, t.Amount})
	}
	s.server.topUp(t)
	s.log = append(s.log, simLogged{topUp: t})
}

func (r *simReplica) open() []*simCall {
	var open []*simCall
	for _, c := range r.journal {
		if !c.settled {
			open = append(open, c)
		}
	}
	return open
}

// account adds to what was truly spent and reserved.
func (s *sim) account(c *simCall, delta pricing.Money) {
	for _, a := range c.accounts {
		s.truth[a] += delta
	}
}

// counting adds up the truth over the windows that count, by key.
func (s *sim) counting() map[string]pricing.Money {
	out := map[string]pricing.Money{}
	for a, used := range s.truth {
		if a.Expires.After(s.serverNow()) {
			out[a.Key] += used
		}
	}
	return out
}

// check fails the test if a limit is passed, in a window that counts or in one that is over.
func (s *sim) check(after string) {
	s.t.Helper()
	for key, used := range s.counting() {
		if limit := s.server.account(key).ceiling(s.limits[key], s.serverNow()); used > limit {
			s.t.Fatalf("after %q at %s: %s spent and reserved of %q, limit %s", after, s.now.Format(time.TimeOnly), used, key, limit)
		}
	}
	for a, used := range s.truth {
		if limit := s.raisedLimit(a); used > limit {
			s.t.Fatalf("after %q at %s: %s spent and reserved of %+v, limit %s", after, s.now.Format(time.TimeOnly), used, a, limit)
		}
	}
}

// raisedLimit is the most that may ever be taken of an account.
func (s *sim) raisedLimit(a Account) pricing.Money {
	least := pricing.Money(math.MaxInt64)
	for _, l := range s.limits[a.Key] {
		for _, r := range s.raised[a] {
			if r.Budget == l.Budget {
				l.Amount += r.Amount
			}
		}
		least = min(least, l.Amount*pricing.Money(l.Percent)/100)
	}
	return least
}

// forgetJournals drops what no window counts any more, to keep check fast.
func (s *sim) forgetJournals() {
	for _, r := range s.replicas {
		r.journal = slices.DeleteFunc(r.journal, func(c *simCall) bool {
			return c.settled && c.accounts[0].Expires.Add(time.Minute).Before(s.serverNow())
		})
	}
	maps.DeleteFunc(s.truth, func(a Account, _ pricing.Money) bool {
		return a.Expires.Add(time.Minute).Before(s.serverNow())
	})
}

// settleDown heals everything, ends all calls and lets beats pass until the server knows all. Then what is left of a
// limit is what was not spent.
func (s *sim) settleDown() {
	s.t.Helper()
	s.serverDown = false
	s.calmUntil = s.now.Add(time.Hour)
	for _, r := range s.replicas {
		r.cut = false
		if !r.up {
			r.start()
		}
	}
	s.pass(10 * time.Second) // what is late arrives, recovery ends
	for _, r := range s.replicas {
		for _, c := range r.open() {
			r.settle(c, c.reserved/2)
		}
		for key, limits := range s.limits {
			if r.incarnation == 1 {
				break // has lost nothing by a crash, such as the answer to a claim
			}
			l := r.book.lease(s.accountAt(key, s.serverNow()))
			r.book.assert(l, l.used, limits)
		}
	}
	s.pass(8 * time.Second)
	truth := s.counting()
	for key := range s.limits {
		all := s.server.account(key).granted(s.serverNow())
		if key != "rolling" && all != truth[key] || all < truth[key] {
			s.t.Errorf("at rest: server has %s of %q granted, journals have %s spent", all, key, truth[key])
		}
	}
}

func TestSimulatedReplicasNeverPassALimit(t *testing.T) {
	seeds, steps := uint64(150), 5000
	if testing.Short() {
		seeds = 20
	}
	var admitted, refused, failovers, trips, shared int
	for seed := range seeds {
		s := newSim(t, seed)
		s.pass(6 * time.Second)
		for i := range steps {
			what := s.step()
			s.check(fmt.Sprintf("seed %d, step %d: %s", seed, i, what))
			if i%500 == 0 {
				s.forgetJournals()
			}
		}
		s.settleDown()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		admitted, refused, failovers = admitted+s.admitted, refused+s.refused, failovers+s.failovers
		trips, shared = trips+s.trips, shared+s.shared
	}
	t.Logf("%d seeds of %d steps: %d calls admitted, %d refused, %d fail-overs, %d round trips, %d of them shared",
		seeds, steps, admitted, refused, failovers, trips, shared)
	if admitted == 0 || refused == 0 || failovers == 0 || shared == 0 {
		t.Error("the simulation did not exercise everything")
	}
}
