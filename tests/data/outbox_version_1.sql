-- What version 1 of the file is. Files like this wait on people's disks: never change it.
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1128353865;
PRAGMA user_version = 1;
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    event_name TEXT NOT NULL,
    event_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    expires_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    put_at REAL NOT NULL,
    died_at REAL,
    reason TEXT
);
CREATE INDEX delivery_waiting ON delivery (destination, due, id) WHERE reason IS NULL;
CREATE INDEX delivery_dead ON delivery (died_at, id) WHERE reason IS NOT NULL;
CREATE TABLE seen (identity BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX seen_at ON seen (at);
CREATE TABLE standing (
    destination TEXT PRIMARY KEY,
    configuration TEXT NOT NULL,
    tried_at REAL NOT NULL,
    failed_at REAL,
    reason TEXT,
    stopped_until REAL
) WITHOUT ROWID;
