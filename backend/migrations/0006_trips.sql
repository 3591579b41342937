-- Trips: what orders are listed by, trips beside the one that counts, when devices were heard. Times are Unix
-- milliseconds.

-- What is in the body and looked for. All of it is written with the body.
ALTER TABLE ride_order ADD COLUMN provider_id TEXT;
ALTER TABLE ride_order ADD COLUMN driver_id TEXT;
ALTER TABLE ride_order ADD COLUMN device_id TEXT;
ALTER TABLE ride_order ADD COLUMN trip_state TEXT;
ALTER TABLE ride_order ADD COLUMN accepted_at BIGINT;
ALTER TABLE ride_order ADD COLUMN ended_at BIGINT;
ALTER TABLE ride_order ADD COLUMN open_cases BIGINT NOT NULL DEFAULT 0;
-- The form of the body: 1 for all that were written before forms were told apart.
ALTER TABLE ride_order ADD COLUMN body_version BIGINT NOT NULL DEFAULT 1;
CREATE INDEX ride_order_created ON ride_order (created_at, order_id);
CREATE INDEX ride_order_state ON ride_order (state, created_at, order_id);
CREATE INDEX ride_order_provider ON ride_order (provider_id, created_at, order_id)
    WHERE provider_id IS NOT NULL;
CREATE INDEX ride_order_driver ON ride_order (driver_id, created_at, order_id)
    WHERE driver_id IS NOT NULL;
CREATE INDEX ride_order_device ON ride_order (device_id, created_at, order_id)
    WHERE device_id IS NOT NULL;
CREATE INDEX ride_order_cases ON ride_order (created_at, order_id) WHERE open_cases > 0;
CREATE INDEX ride_order_under_way ON ride_order (created_at, order_id)
    WHERE trip_state IN ('assigned', 'en-route-to-pickup', 'at-pickup', 'started', 'paused');

-- Which order a trip belongs to, whether its offer was accepted or not: a device may report one that the order
-- was not given to.
CREATE TABLE trip (
    trip_id  TEXT NOT NULL PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES ride_order
);
CREATE INDEX trip_order ON trip (order_id);
INSERT INTO trip (trip_id, order_id)
    SELECT trip_id, order_id FROM ride_order WHERE trip_id IS NOT NULL;

-- When a lane's last batch was committed: by it a device that is not connected was heard.
ALTER TABLE lane_cursor ADD COLUMN moved_at BIGINT NOT NULL DEFAULT 0;
