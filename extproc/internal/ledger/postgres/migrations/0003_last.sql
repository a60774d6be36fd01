-- The entry that a replica was given last: it tells its journal from that of a copy of its state folder that has as
-- many records. All zero: not known, as of what was fed before this version.
ALTER TABLE farebox.replicas ADD COLUMN last uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
