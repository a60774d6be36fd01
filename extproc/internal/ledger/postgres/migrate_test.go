package postgres

import (
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

// Every version that ever was has to lead to the present one, with what it holds.
func TestEveryOlderVersionIsBroughtUpToDate(t *testing.T) {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	must(t, err)
	for version := range len(steps) {
		url := newDatabase(t)
		conn := connectTo(t, url)
		if version > 0 {
			must(t, migrateTo(t.Context(), conn, 1))
			fillVersionOne(t, url)
		}
		must(t, migrateTo(t.Context(), conn, version))
		must(t, migrate(t.Context(), conn))
		if got, err := schemaVersion(t.Context(), conn); err != nil || got != len(steps) {
			t.Errorf("from %d: got version %d, %v, want %d", version, got, err, len(steps))
		}
		r := openReplica(t, t.TempDir(), url)
		r.spend(4, noon)
		r.caughtUp()
		want := int64(4)
		if version > 0 {
			want++
		}
		checkBooks(t, url, want)
	}
}

// fillVersionOne adds a call of spend as the first version would have.
func fillVersionOne(t *testing.T, url string) {
	t.Helper()
	e := ledger.ID{15: 1}
	execute(t, url, "INSERT INTO farebox.replicas (id) VALUES ('00000000-0000-0000-0000-0000000000ff')")
	execute(t, url, "INSERT INTO farebox.scopes (hash, dims, full_dims) VALUES ('x', '{}', '[]')")
	execute(t, url, "INSERT INTO farebox.labels (hash, provider, api, route, asked, model, responded, rule, tier, pool, service, region, outcome, "+
		"price_source, would, would_model, status, attempts, observed, estimated, stated) "+
		"VALUES ('y', '', '', '', '', '', '', '', '', '', '', '', 'ok', '', '', '', 0, 0, false, false, false)")
	execute(t, url, "CREATE TABLE farebox.entries_2026_03 PARTITION OF farebox.entries FOR VALUES FROM ('2026-03-01Z') TO ('2026-04-01Z')")
	execute(t, url, "INSERT INTO farebox.entries VALUES ($1, $2, $2, 1, 1, 1, 100, 10, 20, $3::bigint, 4 * $3, $3, 2 * $3, $3, "+
		`'{"use": {"CacheWriteLong": 3, "WebSearches": 2}, "save": [30000000, 0, 0, 0, 0, 0, 0, 0]}')`, [16]byte(e), noon, int64(cent))
}

func TestReplicasMayMigrateTogether(t *testing.T) {
	url := newDatabase(t)
	var all sync.WaitGroup
	for range 6 {
		conn := connectTo(t, url)
		all.Go(func() {
			if err := migrate(t.Context(), conn); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestADatabaseOfANewerFareboxIsLeftAlone(t *testing.T) {
	url := newDatabase(t)
	conn := connectTo(t, url)
	must(t, migrate(t.Context(), conn))
	execute(t, url, "INSERT INTO farebox.schema_version (version) VALUES (99)")
	if err := migrate(t.Context(), conn); err == nil || !strings.Contains(err.Error(), "version 99 is of a newer farebox") {
		t.Errorf("got %v, want the version to be named", err)
	}
}

func TestAConnectionStringIsNotShownWithItsPassword(t *testing.T) {
	_, err := New("postgres://farebox:hush@host:port/db")
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v, want an error without the password", err)
	}
}
