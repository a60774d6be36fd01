// Package ledger is the append-only record of what calls reserved and spent, and the judge of what they may.
//
// Before a call leaves, Reserve holds the most that it can cost on every budget that covers it, or on none.
// When the call has ended, Settle books what it came to, exactly once; Release frees what was proven unbilled.
// Where nothing may be refused, Book takes the place of Reserve. A call that costs nothing, such as a cache
// hit, is asked for by Admit and noted by Record.
//
// # Balances
//
// A balance belongs to a window and a scope: the values of a budget's dimensions, "(none)" for a call without
// a verified value. Budgets that differ only in name or limit share it, so renaming a budget keeps what was
// spent, and a budget that is added in mid-month starts with what the entries of the month add up to. A call is
// charged to the window in which it was reserved. An estimated entry counts at what was reserved, as a provider
// may bill what nobody saw, unless the budget says "aborted: estimate" or is soft.
//
// A rolling window is a row of grains. What a call reserves and spends belongs to the grain in which it was reserved;
// grains that began within the last Length and one Grain count. A soft budget holds what calls are expected to cost,
// counts labels that nobody verified, and refuses nothing. A TopUp raises the limit of one scope until the window ends.
//
// # Renewal
//
// The owner of a reservation settles, releases or renews it within Options.RenewWithin. What nobody renews is settled as
// lost, at its bound, and nothing is freed. If the owner comes after all, an entry of its own, with Outcome Adjusted,
// corrects the lost one by the difference: both together are what the call came to, in entries and in balances. That
// works for a day, in the same process; later, the settlement is a duplicate and the bound stands. A reservation whose
// answer is fetched later is parked under a key: it stays open until a moment of its own, across restarts.
//
// # Replicas
//
// With Options.Shared the hard budgets of several ledgers are one: Reserve holds on leases (package lease), most of the
// time without a round trip, and a LimitError with Outage says that the store is away and the lease used up. Each ledger
// keeps and counts its own entries; what a balance has left is less what others were granted, as last told. Windows
// follow the store's clock. Until the store is reached for the first time, calls pass only on budgets that are open on
// outage. Budgets that differ only in name, limit or steps share a lease: the one that leaves least refuses first, with
// what it was topped up by. A budget that is new counts what the other replicas spent before it once each of them has it
// in force and has reached the store. Soft budgets and observed calls refuse nothing; what is observed on hard budgets
// is told to the others.
//
// With Options.Answers a parked call may be fetched through any replica: the one that saw the answer whole shares what
// its bill depends on (ShareAnswer), under the key, and the one where the call is parked finds it there (SharedAnswers),
// also when it was down for a while, and settles it once. While the store is away such a call waits, until its time is
// over and a minute more: then it counts at its bound.
//
// # Journal
//
// The state folder holds
//
//	lock                 one process at a time; names the one that holds it
//	replica              the id of the folder
//	incarnation          with Options.Shared, the number of the last start
//	journal-NNNNNN.log   segments, numbered from 1, decimal with at least six digits
//	ledger.db            SQLite, fed from the journal
//	refused.jsonl        entries that a sink would not take, if there were any
//
// A segment is a header and records, integers little-endian:
//
//	segment = "fbxjrnl1" first(8 bytes)              first: the sequence number of the first record
//	record  = length(4) checksum(4) payload          length of the payload, 1 to 1 MiB
//	payload = kind(1) JSON                           'R' Reservation, 'S' its Entry, 'E' an Entry without one,
//	                                                 'P' Reservation with key and until, 'T' TopUp
//
// The checksum is CRC-32C over the length and the payload. Records of other kinds are skipped. A record is written
// before its caller goes on, alone or in one write(2) with those of callers that came while another write was under
// way, so a killed process loses nothing that was acknowledged; a goroutine syncs every SyncInterval, so a power cut
// loses no more than that. A segment is rotated at 64 MiB: the next one starts with the reservations that are still
// open and the top-ups in force, and the old one goes once every sink has everything in it.
//
// # Sinks
//
// The journal feeds SQLite in the folder, from which balances are rebuilt, and the sinks of Options, each at its own
// pace. A sink has its entries from memory while it keeps up; after a restart, or when too many wait, from the
// segments; and what those have no more, as when it is new, from SQLite. The transaction that adds entries moves the
// sink's position in the journal past their records, and an entry counts once by its id. With the position a sink may
// keep the last entry that it was given. When the ledger is opened and SQLite has another one there, a copy of the
// folder has fed the sink under the same replica id, and the sink gets everything again that SQLite and the segments
// have.
//
// SQLite has entries and totals. Totals add up entries per day (UTC), scope and label in the transaction that adds
// them; balances and reports read totals for whole days and entries for the rest. SetKeep lets old entries go in small
// steps, never those that a budget in force or of the current month needs; their totals stay. Freed pages are used
// again, so that the file stops growing; it shrinks by Compact alone, as VACUUM would stop the sink for minutes.
//
// Sums of money and of tokens stop at the largest int64, in memory and in the databases, and a balance that has come
// there stays there: no amount, however absurd, makes a spent budget look empty.
//
// A correction is an entry of its own that refers to another, with differences that may be negative, in the windows of
// that one. Nothing changes an entry.
//
// # Faults
//
//   - the folder is in use: Open says by whom
//   - a torn tail, as a crash leaves it: cut off at Open, with a warning
//   - damage elsewhere in the journal: Open returns a *CorruptError with file and offset
//   - reservations of a process that died: settled at Open as lost, estimated, counted at what was reserved, unless
//     they are parked
//   - reservations that nobody settles or renews: settled likewise, and counted in Stats.Expired
//   - the journal cannot be written (disk full): Reserve refuses with ErrJournal; Book holds in memory; Settle,
//     Release and Record keep their entry, return ErrJournal, and the entry is written as soon as that works.
//     Healthy says so. What is reserved stays reserved until then
//   - SQLite cannot be written: the journal grows, the sink tries again from where it stood, Healthy says so
//   - another sink is down: the journal grows until the disk is full, which is the fault above; it is tried again from
//     where it stood after a growing wait, Sinks says so, and Healthy does not, as calls are served as promised
//   - a sink refuses an entry for good, or a record is whole and makes no sense: it goes to refused.jsonl, is counted in
//     SinkState.Refused, and the sink goes on after it
//   - a second Settle or Release of one call: counted in Stats.Duplicates and ignored
package ledger
