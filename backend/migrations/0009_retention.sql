-- How long things are kept, and what is taken out when somebody is to be forgotten. Times are Unix milliseconds.

-- SHA-256 of the rider's phone, its digits alone: by it all orders of a rider are found. Empty with the rider.
ALTER TABLE ride_order ADD COLUMN rider_key BYTES;
-- When names, phones, addresses and exact places were taken out of it.
ALTER TABLE ride_order ADD COLUMN erased_at BIGINT;
CREATE INDEX ride_order_rider ON ride_order (rider_key) WHERE rider_key IS NOT NULL;
-- What is over, by when: all of it, and what still names somebody.
CREATE INDEX ride_order_over ON ride_order (state, updated_at);
CREATE INDEX ride_order_personal ON ride_order (state, updated_at) WHERE erased_at IS NULL;
-- Which offers an order had, so that it can be deleted with them.
CREATE INDEX assignment_order ON assignment (order_id);

-- What is deleted by its age, by that.
CREATE INDEX trail_run_last ON trail_run (last_at);
CREATE INDEX device_event_received ON device_event (received_at);
CREATE INDEX set_aside_received ON set_aside (received_at);
CREATE INDEX down_message_over ON down_message (created_at) WHERE outcome IS NOT NULL;
