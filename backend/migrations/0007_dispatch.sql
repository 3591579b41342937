-- Who was asked for which order, and why. Times are Unix milliseconds.

-- Decisions of an order, one after another. The body is JSON.
CREATE TABLE dispatch_decision (
    order_id TEXT   NOT NULL REFERENCES ride_order,
    sequence BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    body     TEXT   NOT NULL,
    PRIMARY KEY (order_id, sequence)
);

-- What became of the offers made to a device, in thousandths of an offer, faded up to as_of; and since when
-- it has been without a ride.
CREATE TABLE device_offers (
    device_id  TEXT   NOT NULL PRIMARY KEY REFERENCES vehicle,
    accepted   BIGINT NOT NULL,
    rejected   BIGINT NOT NULL,
    expired    BIGINT NOT NULL,
    as_of      BIGINT NOT NULL,
    idle_since BIGINT,
    -- Whoever has them in memory looks for what changed last.
    changed_at BIGINT NOT NULL
);
CREATE INDEX device_offers_changed ON device_offers (changed_at);
