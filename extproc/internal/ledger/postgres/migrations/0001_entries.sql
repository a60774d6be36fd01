-- Amounts are nano-dollars (1e-9 USD). Moments are rounded down to microseconds.

-- The processes that feed this database, and up to where it has the journal of each. The position moves in the
-- transaction that adds the entries.
CREATE TABLE farebox.replicas (
	number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id uuid NOT NULL UNIQUE, -- in the file "replica" of the state folder
	segment bigint NOT NULL DEFAULT 0,
	place bigint NOT NULL DEFAULT 0,
	seq bigint NOT NULL DEFAULT 0,
	fed timestamptz NOT NULL DEFAULT now()
);

-- Sets of dimensions.
CREATE TABLE farebox.scopes (
	number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	hash bytea NOT NULL UNIQUE, -- SHA-256 of the text of full_dims
	dims jsonb NOT NULL, -- {name: value}
	full_dims jsonb NOT NULL -- [{"n": name, "v": value, "ok": verified}]
);

-- What many calls have in common; '' and 0 for none.
CREATE TABLE farebox.labels (
	number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	hash bytea NOT NULL UNIQUE, -- SHA-256 of all the others
	provider text NOT NULL,
	api text NOT NULL,
	route text NOT NULL,
	asked text NOT NULL,
	model text NOT NULL,
	responded text NOT NULL,
	rule text NOT NULL,
	tier text NOT NULL,
	pool text NOT NULL,
	service text NOT NULL,
	region text NOT NULL,
	outcome text NOT NULL,
	price_source text NOT NULL,
	would text NOT NULL,
	would_model text NOT NULL,
	status integer NOT NULL,
	attempts integer NOT NULL,
	observed boolean NOT NULL,
	estimated boolean NOT NULL,
	stated boolean NOT NULL
);

-- One row per call, in a partition for each month (UTC). A row is never changed.
CREATE TABLE farebox.entries (
	id uuid NOT NULL,
	at timestamptz NOT NULL,
	settled timestamptz NOT NULL,
	replica integer NOT NULL,
	scope bigint NOT NULL,
	label bigint NOT NULL,
	input bigint NOT NULL,
	cache_read bigint NOT NULL,
	output bigint NOT NULL,
	cost bigint NOT NULL,
	baseline bigint NOT NULL,
	charge bigint NOT NULL,
	bound bigint NOT NULL,
	counted bigint NOT NULL,
	more jsonb, -- members of the journal's JSON that have no column
	PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);

-- Entries come nearly in the order of time, which is what this kind of index is for: it costs next to nothing.
CREATE INDEX entries_at ON farebox.entries USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
