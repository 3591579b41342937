-- Explanations and receipts: the trail by time, the events of a trip, a receipt's link.

-- Between which times the fixes of a batch lie; NULL where none of them tells, and in rows of before.
ALTER TABLE trail_batch ADD COLUMN first_at BIGINT;
ALTER TABLE trail_batch ADD COLUMN last_at BIGINT;

-- Batches of one journal folded together after a day: the same fixes and gaps with the same sequences, in
-- fewer and better coded bytes.
CREATE TABLE trail_run (
    device_id        TEXT   NOT NULL REFERENCES vehicle,
    epoch            BIGINT NOT NULL,
    through_sequence BIGINT NOT NULL,
    records          BIGINT NOT NULL,
    first_at         BIGINT NOT NULL,
    last_at          BIGINT NOT NULL,
    payload          BYTES  NOT NULL,
    PRIMARY KEY (device_id, epoch, through_sequence)
);
CREATE INDEX trail_run_time ON trail_run (device_id, last_at);
CREATE INDEX trail_run_age ON trail_run (last_at);

-- The trip an event is of; NULL for events of none, and in rows of before.
ALTER TABLE device_event ADD COLUMN trip_id TEXT;
CREATE INDEX device_event_trip ON device_event (trip_id) WHERE trip_id IS NOT NULL;

-- The capability under which an order's receipt is shown.
ALTER TABLE ride_order ADD COLUMN receipt_token TEXT;
CREATE UNIQUE INDEX ride_order_receipt ON ride_order (receipt_token)
    WHERE receipt_token IS NOT NULL;
