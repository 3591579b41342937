-- Devices are known by their certificates. Times are Unix milliseconds.

ALTER TABLE vehicle DROP COLUMN token_hash;

-- Codes with which a vehicle's device may enrol, each with one key. Of a code only its digest is kept.
CREATE TABLE enrolment_code (
    code_hash  BYTES  NOT NULL PRIMARY KEY,
    device_id  TEXT   NOT NULL REFERENCES vehicle,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    -- SHA-256 of the public key that used it.
    key_hash   BYTES
);
CREATE INDEX enrolment_code_device ON enrolment_code (device_id);

-- Every certificate that was issued, by the SHA-256 of its DER. It counts until it expires or ended_at.
CREATE TABLE device_certificate (
    fingerprint    BYTES  NOT NULL PRIMARY KEY,
    device_id      TEXT   NOT NULL REFERENCES vehicle,
    -- SHA-256 of its public key, and of the certificate of the CA that issued it.
    key_hash       BYTES  NOT NULL,
    ca_fingerprint BYTES  NOT NULL,
    der            BYTES  NOT NULL,
    issued_at      BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    ended_at       BIGINT,
    ended_why      TEXT
);
CREATE INDEX device_certificate_device ON device_certificate (device_id);

-- Whether a device is connected, and since when it is or is not.
CREATE TABLE device_presence (
    device_id     TEXT    NOT NULL PRIMARY KEY REFERENCES vehicle,
    connected     BOOLEAN NOT NULL,
    since         BIGINT  NOT NULL,
    peer          TEXT    NOT NULL,
    agent_version TEXT    NOT NULL
);

-- When something about a device was last changed by another process than the one that serves it: its
-- certificates, or what is to be sent to it.
CREATE TABLE device_signal (
    device_id TEXT   NOT NULL PRIMARY KEY REFERENCES vehicle,
    at        BIGINT NOT NULL
);
CREATE INDEX device_signal_at ON device_signal (at);

-- What an operator wants a device to run, and what it last said it runs (JSON).
CREATE TABLE device_settings (
    device_id  TEXT   NOT NULL PRIMARY KEY REFERENCES vehicle,
    wanted     TEXT,
    -- The command that carries what is wanted.
    number     BIGINT,
    wanted_at  BIGINT,
    running    TEXT,
    running_at BIGINT
);

-- What revoked devices still had on the way: kept, and of no effect.
CREATE TABLE set_aside (
    set_aside_id TEXT   NOT NULL PRIMARY KEY,
    device_id    TEXT   NOT NULL REFERENCES vehicle,
    lane         TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    received_at  BIGINT NOT NULL,
    payload      BYTES  NOT NULL
);
CREATE INDEX set_aside_device ON set_aside (device_id, received_at);

-- Who came, who was turned away, and why. The same again within a minute counts up.
CREATE TABLE audit (
    audit_id  TEXT   NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    kind      TEXT   NOT NULL,
    device_id TEXT,
    peer      TEXT,
    detail    TEXT   NOT NULL,
    count     BIGINT NOT NULL
);
CREATE INDEX audit_at ON audit (at);

-- When a lane was begun, so that a device that makes up journals can be held back.
ALTER TABLE lane_cursor ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX lane_cursor_created ON lane_cursor (device_id, created_at);
