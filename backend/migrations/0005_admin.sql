-- Who may use the admin API, and what operators did. Times are Unix milliseconds.

-- Who did it, where an operator did: the name of a token, or cli.
ALTER TABLE audit ADD COLUMN actor TEXT;
-- The list of entries is walked by time and id.
DROP INDEX audit_at;
CREATE INDEX audit_at ON audit (at, audit_id);

-- Of a token only the digest is kept.
CREATE TABLE admin_token (
    token_id     TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL UNIQUE,
    role         TEXT   NOT NULL,
    -- SHA-256 of its secret.
    digest       BYTES  NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    -- Written once in a while only.
    last_used_at BIGINT,
    expires_at   BIGINT,
    revoked_at   BIGINT
);

-- What was answered to a request with an Idempotency-Key, so that it has one effect however often it comes.
CREATE TABLE admin_answer (
    token_id        TEXT   NOT NULL REFERENCES admin_token,
    idempotency_key TEXT   NOT NULL,
    -- SHA-256 of the method, the path and the body.
    digest          BYTES  NOT NULL,
    status          BIGINT NOT NULL,
    -- The answer; none where it held a secret, which is shown once.
    body            TEXT,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (token_id, idempotency_key)
);
CREATE INDEX admin_answer_created ON admin_answer (created_at);
