-- One text for SQLite and PostgreSQL. BYTES stands for the byte-string type of the database at hand.
-- Times are Unix milliseconds. Identifiers are text. Only BIGINT, TEXT, BOOLEAN and BYTES are used.

CREATE TABLE vehicle (
    device_id      TEXT   NOT NULL PRIMARY KEY,
    registration   TEXT   NOT NULL UNIQUE,
    category       TEXT   NOT NULL,
    driver_name    TEXT   NOT NULL,
    driver_phone   TEXT   NOT NULL,
    token_hash     BYTES  NOT NULL,
    command_number BIGINT NOT NULL,
    created_at     BIGINT NOT NULL
);

CREATE TABLE ride_order (
    order_id       TEXT   NOT NULL PRIMARY KEY,
    fulfillment_id TEXT   NOT NULL UNIQUE,
    subscriber_id  TEXT   NOT NULL,
    track_token    TEXT   NOT NULL UNIQUE,
    trip_id        TEXT   UNIQUE,
    state          TEXT   NOT NULL,
    due_at         BIGINT,
    version        BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    body           TEXT   NOT NULL
);
CREATE INDEX ride_order_due ON ride_order (due_at);

-- Which order an offer belongs to.
CREATE TABLE assignment (
    assignment_id TEXT NOT NULL PRIMARY KEY,
    order_id      TEXT NOT NULL REFERENCES ride_order
);

-- A device that is offered an order or drives it. The primary key keeps it to one order at a time.
CREATE TABLE device_hold (
    device_id TEXT NOT NULL PRIMARY KEY REFERENCES vehicle,
    order_id  TEXT NOT NULL REFERENCES ride_order
);

-- Requests that were acknowledged, so that the same one twice has one effect.
CREATE TABLE inbox (
    subscriber_id TEXT   NOT NULL,
    action        TEXT   NOT NULL,
    message_id    TEXT   NOT NULL,
    digest        BYTES  NOT NULL,
    received_at   BIGINT NOT NULL,
    PRIMARY KEY (subscriber_id, action, message_id)
);

-- What subscribers are to be told. order_key is the order's id, or the callback's own id where no
-- order is meant; callbacks of one key are delivered in sequence.
CREATE TABLE callback (
    order_key       TEXT   NOT NULL,
    sequence        BIGINT NOT NULL,
    subscriber_id   TEXT   NOT NULL,
    action          TEXT   NOT NULL,
    url             TEXT   NOT NULL,
    body            BYTES  NOT NULL,
    state           TEXT   NOT NULL,
    attempts        BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    last_error      TEXT,
    PRIMARY KEY (order_key, sequence)
);
CREATE INDEX callback_due ON callback (state, next_attempt_at);

-- How far a device's stream is committed.
CREATE TABLE lane_cursor (
    device_id TEXT   NOT NULL REFERENCES vehicle,
    epoch     BIGINT NOT NULL,
    stream    TEXT   NOT NULL,
    sequence  BIGINT NOT NULL,
    PRIMARY KEY (device_id, epoch, stream)
);

CREATE TABLE device_event (
    device_id   TEXT   NOT NULL REFERENCES vehicle,
    epoch       BIGINT NOT NULL,
    sequence    BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    refused     TEXT,
    payload     BYTES  NOT NULL,
    PRIMARY KEY (device_id, epoch, sequence)
);

-- Trail batches as they came over the wire. The first `skip` records were committed before.
CREATE TABLE trail_batch (
    device_id        TEXT   NOT NULL REFERENCES vehicle,
    epoch            BIGINT NOT NULL,
    through_sequence BIGINT NOT NULL,
    skip             BIGINT NOT NULL,
    records          BIGINT NOT NULL,
    received_at      BIGINT NOT NULL,
    payload          BYTES  NOT NULL,
    PRIMARY KEY (device_id, epoch, through_sequence)
);

-- Commands to devices, sent on every connect until the device says what became of them.
CREATE TABLE down_message (
    device_id  TEXT   NOT NULL REFERENCES vehicle,
    number     BIGINT NOT NULL,
    outcome    TEXT,
    created_at BIGINT NOT NULL,
    payload    BYTES  NOT NULL,
    PRIMARY KEY (device_id, number)
);
CREATE INDEX down_message_open ON down_message (device_id, outcome);
